export {
  CPIO_END,
  CPIO_HEADER,
  cpioFilling,
  type CpioHeader,
  type CpioKind,
  cpioSum,
  decodeCpioHeader,
  decodeCpioName,
  encodeCpioEntry,
} from './cpio.ts';
export {
  decodeSwuDescription,
  MAX_SWU_DESCRIPTION,
  SWU_DESCRIPTION,
  SWU_SIGNATURE,
  type SwuDescription,
  type SwuFile,
} from './description.ts';
export { parseLibconfig } from './libconfig.ts';
