import { HoldfastError } from '@holdfast/kernel';
import { type CborValue, decodeCborMap, encodeCbor } from '../cbor/index.ts';
import { BOOT_STATES, type BootState } from '../holdfast/index.ts';

/**
 * Labels of the configuration descriptor in a layer's Open DICE input: -70002, -70003 and -70005 as the Android
 * profile of Open DICE numbers them, the others ours.
 */
const LABEL = {
  name: -70_002,
  version: -70_003,
  securityCounter: -70_005,
  bootState: -70_101,
  bootCount: -70_102,
} as const;

/** What the stage below says of the layer it measured; the layer itself cannot change it. */
export interface LayerDescriptor {
  readonly name: string;
  readonly version: string;
  readonly securityCounter: number;
  readonly bootState: BootState;
  readonly bootCount: number;
}

export function encodeLayerDescriptor(descriptor: LayerDescriptor): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    new Map<number, CborValue>([
      [LABEL.name, descriptor.name],
      [LABEL.version, descriptor.version],
      [LABEL.securityCounter, descriptor.securityCounter],
      [LABEL.bootState, descriptor.bootState],
      [LABEL.bootCount, descriptor.bootCount],
    ]),
  );
}

/** @throws `wire.malformed` naming the member */
export function decodeLayerDescriptor(bytes: Uint8Array): LayerDescriptor {
  const map = decodeCborMap(bytes);
  const bootState = BOOT_STATES.find((state) => state === map.get(LABEL.bootState));
  if (bootState === undefined) throw malformed('bootState');
  const text = (name: 'name' | 'version'): string => {
    const value = map.get(LABEL[name]);
    if (typeof value !== 'string' || value.length > 128) throw malformed(name);
    return value;
  };
  const count = (name: 'securityCounter' | 'bootCount'): number => {
    const value = map.get(LABEL[name]);
    if (typeof value !== 'number' || value < 0) throw malformed(name);
    return value;
  };
  return {
    name: text('name'),
    version: text('version'),
    securityCounter: count('securityCounter'),
    bootState,
    bootCount: count('bootCount'),
  };
}

function malformed(field: string): HoldfastError {
  return new HoldfastError('wire.malformed', { field: `layer ${field}` });
}
