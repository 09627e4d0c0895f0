export { openPeer } from './open-peer.ts';
export type { DeadLetter, SinkRecords } from './sink-records.ts';
export { type SinkSetting, SinkSettings } from './sink-settings.ts';
export { Sinks, type SinkStatus, type SpoolStatus } from './sinks.ts';
export { Spool, type SpoolKeys } from './spool.ts';
