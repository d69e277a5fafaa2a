/**
 * Lifetime of a task binding (an A2A task or context bound to a registry task) after its last use.
 * A registry task lives at most 30 days, so no valid token can name a binding of this age. A resource server must delete its own A2A
 * tasks and contexts no later than this.
 */
export const TASK_BINDING_SECONDS = 31 * 86_400
