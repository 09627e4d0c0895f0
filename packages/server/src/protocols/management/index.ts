export { loadAssets } from './console-assets.ts';
export { ConsoleSessions } from './console-sessions.ts';
export type { LiveFeed } from './event-stream.ts';
export type { ManagementHandlers } from './handler-types.ts';
export { managementHandlers } from './handlers/index.ts';
export { createManagementListener, listenOnSocket, type ManagementPorts } from './management-listener.ts';
