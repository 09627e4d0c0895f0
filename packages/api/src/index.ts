export {
  type ApiClient,
  ApiProblem,
  type ApiRequest,
  type ApiResponse,
  type CallInput,
  type CallOutput,
  createClient,
  type Transport,
} from './client.ts';
export { FACTORY_OPERATIONS } from './factory-role.ts';
export { LEAST_ROLE } from './roles.ts';
export { EVENTS_PATH, OPERATIONS, type Operation, type OperationName, type Operations } from './operations.ts';
export * from './schemas/authority.ts';
export * from './schemas/claim.ts';
export * from './schemas/common.ts';
export * from './schemas/communication.ts';
export * from './schemas/device.ts';
export * from './schemas/enrollment.ts';
export * from './schemas/image-key.ts';
export * from './schemas/manufacturer.ts';
export * from './schemas/operator.ts';
export * from './schemas/product.ts';
export * from './schemas/registry.ts';
export * from './schemas/revocation.ts';
export * from './schemas/shadow.ts';
export * from './schemas/sink.ts';
export * from './schemas/system.ts';
export * from './schemas/rehearsal.ts';
export * from './schemas/renewal.ts';
export * from './schemas/tpm.ts';
export * from './schemas/template.ts';
export * from './schemas/update.ts';
