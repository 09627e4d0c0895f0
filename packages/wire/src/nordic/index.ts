export { decodeNrf5Package, encodeNrf5Package, isZip, type Nrf5Firmware } from './dfu-package.ts';
export { decodeNsibFirmwareInfo, hasNsibFirmwareInfo, type NsibFirmwareInfo } from './fw-info.ts';
export {
  decodeNrf5InitPacket,
  encodeNrf5InitCommand,
  encodeNrf5InitPacket,
  NRF5_BOOT_VALIDATIONS,
  NRF5_FIRMWARE_TYPES,
  type Nrf5BootValidation,
  type Nrf5BootValidationType,
  type Nrf5FirmwareType,
  type Nrf5InitCommand,
  type Nrf5InitPacket,
} from './init-packet.ts';
export {
  decodeNsibProvision,
  encodeNsibProvision,
  NSIB_PROVISION_OFFSET,
  type NsibProvision,
} from './provision-page.ts';
export {
  decodeNsibImage,
  encodeNsibImage,
  NSIB_BLOCK_LENGTH,
  type NsibImage,
  type NsibValidation,
} from './validation-block.ts';
export { decodeZip, encodeZip, type ZipEntry } from './zip.ts';
