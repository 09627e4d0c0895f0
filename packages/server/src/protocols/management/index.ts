export { type Asset, loadAssets } from './console-assets.ts';
export { ConsoleSessions } from './console-sessions.ts';
export { managementHandlers, type ManagementServices } from './handlers/index.ts';
export type { LiveFeed } from './event-stream.ts';
export type { HandlerInput, HandlerOutput, ManagementContext, ManagementHandlers } from './handler-types.ts';
export {
  createManagementListener,
  listenOnSocket,
  type ManagementListener,
  type ManagementPorts,
  type TlsMaterial,
} from './management-listener.ts';
