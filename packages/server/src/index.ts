export { type RunningServer, type ServerPorts, startServer } from './compose.ts';
