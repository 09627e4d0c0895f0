import { HoldfastError } from '@holdfast/kernel';
import { verifyRootChange } from '@holdfast/crypto';
import {
  decodeReleaseRoot,
  decodeTrustAnchors,
  encodeReleaseRoot,
  encodeTrustAnchors,
  type TrustAnchors,
} from '@holdfast/wire/manifest';
import type { DeviceStore } from '../store/device-store.ts';
import { JsonRecord } from '../store/json-record.ts';
import type { InstalledRelease } from './manifest-policy.ts';
import { RatchetMemory } from './ratchet-memory.ts';

/** An update under way, kept from the moment it is staged until its last word was taken. */
export interface PendingUpdate {
  readonly jobId: string;
  readonly release: InstalledRelease;
  /** `staged`: written, not yet seen running; `trial`: ran on trial. */
  readonly phase: 'staged' | 'trial';
  readonly attempts: number;
  /** Why it was given up. */
  readonly failure?: string;
}

/** What the device remembers over restarts, each file whole or not there. */
export class DeviceRecords {
  readonly installed: JsonRecord<InstalledRelease>;
  readonly pending: JsonRecord<PendingUpdate>;
  readonly ratchet: RatchetMemory;
  readonly #store: DeviceStore;

  constructor(store: DeviceStore) {
    this.#store = store;
    this.installed = new JsonRecord(store, 'release.json');
    this.pending = new JsonRecord(store, 'update.json');
    this.ratchet = new RatchetMemory(store);
  }

  /** The anchors of the factory step, with the release root of the last accepted change. */
  trust(): TrustAnchors {
    const factory = this.#store.read('trust.json');
    if (factory === undefined) throw new HoldfastError('device.folder_damaged', { file: 'trust.json' });
    const anchors = decodeTrustAnchors(factory);
    const root = this.#store.read('release-root.json');
    return root === undefined ? anchors : { ...anchors, releaseRoot: decodeReleaseRoot(root) };
  }

  /** The factory step only. */
  installTrust(anchors: TrustAnchors): void {
    this.#store.write('trust.json', encodeTrustAnchors(anchors));
  }

  /**
   * Takes the next release root. Nothing is kept unless all of it was accepted.
   *
   * @param envelope - DSSE envelope, signed under the current and the new root
   * @throws `device.root_refused`
   */
  changeRoot(envelope: Uint8Array): void {
    const verdict = verifyRootChange(envelope, this.trust().releaseRoot);
    if (verdict.kind === 'refused') throw new HoldfastError('device.root_refused', { reason: verdict.reason });
    this.#store.write('release-root.json', encodeReleaseRoot(verdict.root));
  }
}
