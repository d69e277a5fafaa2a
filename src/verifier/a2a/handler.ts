/** The user that `a2aUser` has put into the context of an A2A call. */
export interface A2AContext {
  readonly user?: unknown
}

export interface ById {
  readonly id: string
}

export interface ByTaskId {
  readonly taskId: string
}

export interface PushConfig extends ByTaskId {
  readonly id?: string
  readonly url?: string
  readonly tenant?: string
}

export interface MessageParams {
  readonly configuration?: { readonly taskPushNotificationConfig?: PushConfig | undefined } | undefined
  readonly message?: { readonly taskId?: string; readonly contextId?: string; readonly referenceTaskIds?: readonly string[] } | undefined
}

export interface ListParams {
  readonly pageSize?: number
  readonly pageToken?: string
}

export interface TaskList {
  readonly tasks: readonly ById[]
  readonly nextPageToken?: string
  readonly pageSize?: number
}

/** The request handler of the official SDK, reduced to the parameters and results that the guard reads. */
export interface A2AHandler {
  getAgentCard(): Promise<unknown>
  getAuthenticatedExtendedAgentCard(params: unknown, context: A2AContext): Promise<unknown>
  sendMessage(params: MessageParams, context: A2AContext): Promise<unknown>
  sendMessageStream(params: MessageParams, context: A2AContext): AsyncGenerator<unknown, void, undefined>
  getTask(params: ById, context: A2AContext): Promise<unknown>
  cancelTask(params: ById, context: A2AContext): Promise<unknown>
  createTaskPushNotificationConfig(params: PushConfig, context: A2AContext): Promise<unknown>
  getTaskPushNotificationConfig(params: ByTaskId, context: A2AContext): Promise<unknown>
  listTaskPushNotificationConfigs(params: ByTaskId, context: A2AContext): Promise<unknown>
  deleteTaskPushNotificationConfig(params: PushConfig, context: A2AContext): Promise<unknown>
  resubscribe(params: ById, context: A2AContext): AsyncGenerator<unknown, void, undefined>
  listTasks(params: ListParams, context: A2AContext): Promise<TaskList>
}

/** Accepts a handler whose parameters have the SDK's own, richer types. */
export type A2AHandlerShape = {
  [M in keyof A2AHandler]: (params: never, context: never) => ReturnType<A2AHandler[M]>
}
