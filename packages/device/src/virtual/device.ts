import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  attestationAnchor,
  type Backing,
  BackupRegisters,
  BOARDS,
  type BoardName,
  type BootEvent,
  type BootResult,
  bootChip,
  counterCeiling,
  createStrategy,
  encodeKeyRecord,
  erasedFlashState,
  FuseBank,
  fuseBytes,
  keyRecordSize,
  memoryBacking,
  NorFlash,
  padTo,
  planSlots,
  PowerSupply,
  REGISTER_BYTES,
  type SlotPlan,
  type Strategy,
  UpdateSlot,
} from '@holdfast/crypto/virtual-chip';
import { HoldfastError, type Random } from '@holdfast/kernel';
import { fileBacking } from './file-backing.ts';

export interface VirtualDeviceOptions {
  readonly board: BoardName;
  /** Folder of the parts' files; without one the device lives in memory. */
  readonly folder?: string;
}

/** What the factory puts into the hardware. */
export interface FactoryImages {
  /** SubjectPublicKeyInfo (DER) of the key that signs bootloaders; its hash is fused. */
  readonly bootPublicKey: Uint8Array;
  /** MCUboot image around `encodeBootProgram`, signed with the boot key. */
  readonly bootloader: Uint8Array;
  /** MCUboot image of the first firmware. */
  readonly firmware: Uint8Array;
}

/** A chip: flash, fuses and registers with one power supply, and the stages that run before the application. */
export class VirtualDevice {
  readonly supply = new PowerSupply();
  readonly flash: NorFlash;
  readonly fuses: FuseBank;
  readonly registers: BackupRegisters;
  readonly plan: SlotPlan;
  readonly updateSlot: UpdateSlot;
  readonly #strategy: Strategy;
  /** Hears what the bootloader does. */
  onBootEvent: ((event: BootEvent) => void) | undefined;

  constructor({ board, folder }: VirtualDeviceOptions) {
    const backing = (name: string, initial: Uint8Array): Backing =>
      folder === undefined ? memoryBacking(initial) : fileBacking(join(folder, name), initial);
    const { geometry, counter } = BOARDS[board];
    this.plan = planSlots(BOARDS[board]);
    this.flash = new NorFlash(geometry, this.supply, backing('flash.bin', erasedFlashState(geometry)));
    this.fuses = new FuseBank(this.supply, counter, backing('fuses.bin', new Uint8Array(fuseBytes(counter))));
    this.registers = new BackupRegisters(backing('registers.bin', new Uint8Array(REGISTER_BYTES)));
    this.#strategy = createStrategy(this);
    this.updateSlot = new UpdateSlot(this, this.#strategy);
  }

  /**
   * The factory step: images into flash, key hash and a secret made on the chip into the fuses, then locked.
   * May be repeated after an interruption.
   *
   * @returns the attestation anchor (SubjectPublicKeyInfo, DER), exported this once
   * @throws `device.fuse_refused` when the device has left the factory, `device.power_cut`
   */
  manufacture({ bootPublicKey, bootloader, firmware }: FactoryImages, random: Random): Uint8Array {
    const { map } = this.plan;
    const bootAddress = map.start(this.plan.board.boot.firstSector);
    if (this.fuses.lifeCycle !== 'open') throw new HoldfastError('device.fuse_refused', { field: 'lifeCycle' });
    for (let sector = 0; sector < map.count; sector++) this.flash.erase(sector);
    this.#install(bootAddress, encodeKeyRecord(bootPublicKey));
    this.#install(bootAddress + keyRecordSize(this.plan), bootloader);
    this.#install(this.plan.primary.address, firmware);
    this.#strategy.install();
    this.fuses.burn('bootKeyHash', new Uint8Array(createHash('sha256').update(bootPublicKey).digest()));
    this.fuses.burn('deviceSecret', random.bytes(32));
    this.fuses.lockDebug();
    this.fuses.advanceLifeCycle('secured');
    return attestationAnchor(this.fuses.read('deviceSecret'));
  }

  /** Power on, reset and watchdog alike: the first stage starts over. @throws `device.power_cut` */
  boot(): BootResult {
    this.supply.restore();
    const { flash, fuses, registers, plan } = this;
    const onEvent = (event: BootEvent): void => this.onBootEvent?.(event);
    return bootChip({ flash, fuses, registers, plan, strategy: this.#strategy, onEvent });
  }

  get securityCounter(): number {
    return this.fuses.securityCounter;
  }

  get maxSecurityCounter(): number {
    return counterCeiling(this.fuses.counter);
  }

  get maxSectorErases(): number {
    return this.flash.maxEraseCount();
  }

  /** The application's sign of life, without which three boots in a row end in safe mode. */
  markAlive(): void {
    this.registers.clearAttempts();
  }

  close(): void {
    this.flash.close();
    this.fuses.close();
    this.registers.close();
  }

  #install(address: number, image: Uint8Array): void {
    this.flash.write(address, padTo(image, this.flash.geometry));
  }
}
