import { HoldfastError } from '@holdfast/kernel';
import type { PolicyOf, SignOptionsOf } from '@holdfast/trust/boot';
import { NRF5_FIRMWARE_TYPES } from '@holdfast/wire/nordic';
import { counterOf, type FormatCommandLine } from './format-command-line.ts';
import { choice, type Given, many, numberOf, optionalNumber, required, text } from './option-values.ts';

const VALIDATIONS = ['none', 'crc', 'sha256'] as const;

export const NRF5_COMMAND_LINE: FormatCommandLine<'nrf5-dfu'> = {
  signOptions: [
    { flags: '--firmware-version <number>', words: 'nrf5-dfu: version of the firmware, never lowered' },
    { flags: '--hardware-version <number>', words: 'nrf5-dfu: hardware the firmware is for' },
    { flags: '--sd-req <id>', words: 'nrf5-dfu: firmware id of a SoftDevice it runs on (any)', repeats: true },
    { flags: '--firmware-type <type>', words: `nrf5-dfu: ${NRF5_FIRMWARE_TYPES.join(', ')}` },
    { flags: '--softdevice-size <bytes>', words: 'nrf5-dfu: SoftDevice that opens a combined binary' },
    { flags: '--boot-validation <kind>', words: `nrf5-dfu: checked at every start: ${VALIDATIONS.join(', ')} (crc)` },
  ],
  readSignOptions(given): SignOptionsOf<'nrf5-dfu'> {
    const type = text(given, 'firmwareType');
    const softdevices = many(given, 'sdReq').map((id) => numberOf(id, 'sd-req'));
    const softdeviceSize = optionalNumber(given, 'softdeviceSize', 'softdevice-size');
    const validation = text(given, 'bootValidation');
    return {
      firmwareVersion: numberOf(required(given, 'firmwareVersion', 'firmware-version'), 'firmware-version'),
      hardwareVersion: numberOf(required(given, 'hardwareVersion', 'hardware-version'), 'hardware-version'),
      ...(softdevices.length === 0 ? {} : { softdevices }),
      ...(type === undefined ? {} : { type: choice(type, NRF5_FIRMWARE_TYPES, 'firmware-type') }),
      ...(softdeviceSize === undefined ? {} : { softdeviceSize }),
      ...(validation === undefined ? {} : { bootValidation: choice(validation, VALIDATIONS, 'boot-validation') }),
    };
  },
  verifyOptions: [
    { flags: '--hardware-version <number>', words: 'nrf5-dfu: hardware version of the device' },
    { flags: '--sd-req <id>', words: 'nrf5-dfu: firmware id of the SoftDevice on the device', repeats: true },
    { flags: '--allow-debug', words: 'nrf5-dfu: accept packages with the debug mark' },
  ],
  readPolicy(given): PolicyOf<'nrf5-dfu'> {
    const hardwareVersion = optionalNumber(given, 'hardwareVersion', 'hardware-version');
    const [softdevice, ...more] = many(given, 'sdReq').map((id) => numberOf(id, 'sd-req'));
    if (more.length > 0) throw new HoldfastError('boot.bad_option', { option: 'sd-req', reason: 'given twice' });
    return {
      allowDebug: given['allowDebug'] === true,
      ...(hardwareVersion === undefined ? {} : { hardwareVersion }),
      ...(softdevice === undefined ? {} : { softdevice }),
      ...counterOf(given),
    };
  },
};

export const NSIB_COMMAND_LINE: FormatCommandLine<'nsib'> = {
  signOptions: [
    { flags: '--no-hardware-counter', words: 'nsib: the version may pass the 15 bits of a hardware counter' },
  ],
  readSignOptions: (given: Given) => ({ hardwareCounter: given['hardwareCounter'] !== false }),
  verifyOptions: [
    { flags: '--slot-address <address>', words: 'nsib: flash address of the slot the image is for' },
    { flags: '--hardware-id <number>', words: 'nsib: 52 for nRF52, 53 for nRF53, 91 for nRF91' },
  ],
  readPolicy(given): PolicyOf<'nsib'> {
    const address = optionalNumber(given, 'slotAddress', 'slot-address');
    const hardwareId = optionalNumber(given, 'hardwareId', 'hardware-id');
    return {
      ...(address === undefined ? {} : { address }),
      ...(hardwareId === undefined ? {} : { hardwareId }),
      ...counterOf(given),
    };
  },
};
