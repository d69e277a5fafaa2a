/** What these examples answer: who called, for which task, and what was sent. */
export const answerTo = ({ claims, chain, taskId }, text) => ({ chain, scope: claims.scope, taskId, text })
