/**
 * A tie of an A2A task or context is forgotten so long after its last use. A task of ours lives 30 days at most, so nobody who might still
 * use such a tie has a token by then. A callee forgets its own A2A tasks and contexts no later.
 */
export const TASK_BINDING_SECONDS = 31 * 86_400
