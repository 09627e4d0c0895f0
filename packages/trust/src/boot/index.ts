export { type FirmwareLevel, isOlder, type Minimum, shortfallOf } from './minimum.ts';
export {
  type MinimumPreview,
  type MinimumWish,
  type ProductActor,
  ProductPolicy,
  type ProductPolicyPorts,
  type ProductWish,
} from './product-policy.ts';
export { type ReferenceValuePorts, ReferenceValues } from './reference-values.ts';
