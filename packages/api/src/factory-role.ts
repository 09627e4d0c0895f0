import type { OperationName } from './operations.ts';

/**
 * All that a factory station does. Its credential stands on a factory floor: whoever takes it must not reach a device in
 * the field.
 */
export const FACTORY_OPERATIONS: ReadonlySet<OperationName> = new Set([
  'status.show',
  'trust-anchors.show',
  'registry.import',
  'claims.create',
  'claims.show',
  'claims.mint-passwords',
  'devices.enroll',
  'devices.show',
]);
