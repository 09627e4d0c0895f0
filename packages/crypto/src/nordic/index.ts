export {
  type AcceptedNrf5Package,
  judgeNrf5Package,
  type Nrf5Policy,
  type Nrf5SignOptions,
  type PreparedNrf5Package,
  prepareNrf5Package,
} from './nrf5-dfu.ts';
export {
  type AcceptedNsibImage,
  judgeNsibImage,
  type NsibPolicy,
  type NsibSignOptions,
  type PreparedNsibImage,
  prepareNsibImage,
} from './nsib.ts';
export { nordicPublicKey, type NordicPublicKey, nrf5KeyBytes, nsibKeyHash } from './public-key.ts';
