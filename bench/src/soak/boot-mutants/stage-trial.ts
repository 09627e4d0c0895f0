import { sha256 } from '../../../../packages/crypto/src/primitives/hash.ts';
import type { LifeCycle } from '../../../../packages/crypto/src/virtual-chip/fuses.ts';
import {
  BackupRegisters,
  BOARDS,
  bootChip,
  createStrategy,
  encodeKeyRecord,
  FuseBank,
  keyRecordSize,
  NorFlash,
  padTo,
  planSlots,
  PowerSupply,
} from '../../../../packages/crypto/src/virtual-chip/index.ts';
import { encodeHex } from '../../../../packages/kernel/src/index.ts';

/** A whole device from its first stage on. */
export interface StageCase {
  readonly bootKey: Uint8Array;
  readonly bootloader: Uint8Array;
  /** Signed by another boot key; naming none of the image keys; no boot program. */
  readonly others: readonly Uint8Array[];
  readonly firmware: Uint8Array;
}

/** Boots from the first stage: as it should be, after each byte changed, in every life cycle, out of attempts. */
export function stagesOf({ bootKey, bootloader, others, firmware }: StageCase): readonly (() => string)[] {
  const made = (image: Uint8Array): Board => {
    const board = new Board();
    board.manufacture(bootKey, image, firmware);
    return board;
  };
  const good = made(bootloader);
  const flash = good.flash.snapshot();
  const spoilt = (at: number) => (): string => {
    good.flash.restoreSnapshot(flash);
    const copy = flash.slice();
    copy[at] = (copy[at] ?? 0) ^ 1;
    good.flash.restoreSnapshot(copy);
    good.registers.clearAttempts();
    return good.boot();
  };
  const { map, board, primary } = good.plan;
  const start = map.start(board.boot.firstSector);
  const keyRecord = keyRecordSize(good.plan);
  const places = [
    ...Array(bootKey.length + 2).keys(),
    ...Array.from({ length: bootloader.length }, (_, i) => keyRecord + i),
  ];
  return [
    () => made(bootloader).boot(),
    ...others.map((image) => () => made(image).boot()),
    ...places.filter((_, index) => index % 3 === 0).map((at) => spoilt(start + at)),
    spoilt(primary.address + 50),
    () => {
      const board = made(bootloader);
      return Array.from({ length: 6 }, () => board.boot()).join('; ');
    },
    ...(['open', 'secured', 'retired'] as const).map((stage) => () => {
      const board = new Board();
      board.manufacture(bootKey, bootloader, firmware, stage);
      return board.boot();
    }),
    () => {
      const board = made(bootloader);
      board.supply.setPlan([{ kind: 'stuck-sector', sector: board.plan.primary.firstSector }]);
      board.request();
      return board.boot();
    },
  ];
}

/** What the device package puts together, without its files. */
class Board {
  readonly supply = new PowerSupply();
  readonly plan = planSlots(BOARDS['tiny-move']);
  readonly flash = new NorFlash(this.plan.board.geometry, this.supply);
  readonly fuses = new FuseBank(this.supply, this.plan.board.counter);
  readonly registers = new BackupRegisters();
  readonly #strategy = createStrategy(this);

  manufacture(bootKey: Uint8Array, bootloader: Uint8Array, firmware: Uint8Array, stage: LifeCycle = 'secured'): void {
    const start = this.plan.map.start(this.plan.board.boot.firstSector);
    const put = (address: number, bytes: Uint8Array): void =>
      this.flash.write(address, padTo(bytes, this.flash.geometry));
    put(start, encodeKeyRecord(bootKey));
    put(start + keyRecordSize(this.plan), bootloader);
    put(this.plan.primary.address, firmware);
    this.fuses.burn('bootKeyHash', sha256(bootKey));
    this.fuses.burn('deviceSecret', new Uint8Array(32).fill(7));
    this.fuses.advanceLifeCycle(stage);
  }

  /** Asks for what stands in the first slot to be taken from the other, where nothing is. */
  request(): void {
    this.#strategy.request('test');
  }

  boot(): string {
    const { flash, fuses, registers, plan } = this;
    const result = bootChip({ flash, fuses, registers, plan, strategy: this.#strategy });
    const { kind, descriptor, debug, attester } = result;
    const what = result.kind === 'application' ? encodeHex(sha256(result.payload)).slice(0, 16) : result.code;
    return [kind, what, JSON.stringify(descriptor), debug, attester.chain.length, fuses.securityCounter].join(' ');
  }
}
