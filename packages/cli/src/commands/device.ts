import path from 'node:path';
import {
  type AgentEvent,
  type BoardName,
  BOARDS,
  type ClaimCredential,
  type EnrollmentPlan,
  slotBytes,
} from '@holdfast/device';
import { toHoldfastError } from '@holdfast/kernel';
import { type Command, Option } from 'commander';
import { ensureProduct, Factory } from '../factory/factory.ts';
import { describeEvent } from '../factory/describe-event.ts';
import { firstFirmware } from '../factory/first-firmware.ts';
import { DeviceShelf, type ShelfRun } from '../factory/shelf.ts';
import { describeFailure } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { registerGateway } from './device-gateway.ts';
import { registerShadows } from './device-shadow.ts';
import { stopSignal, untilAborted } from './stop-signal.ts';
import { addConnectionOptions, clientFrom, type GivenOptions, wholeNumber } from './verb.ts';

const CHIPS = ['nrf52840', 'stm32l4', 'stm32f4', 'lpc55s69', 'psoc64'] as const satisfies readonly BoardName[];
const WAYS = ['csr', 'keys', 'est'] as const;

interface RunOptions extends GivenOptions {
  readonly product: string;
  readonly count: number;
  readonly folder: string;
  readonly board: (typeof CHIPS)[number];
  readonly enroll: (typeof WAYS)[number];
  readonly release?: string;
}

export function registerDevice(noun: Command, io: CommandIo): void {
  registerGateway(noun.command('gateway').description('a Linux gateway with a TPM 2.0'), io);
  registerShadows(noun.command('shadow').description('what a device shall be, and says it is'), io);
  const run = noun
    .command('run')
    .description('make virtual devices, or take up those in a folder again, and run them until a signal')
    .option('--product <name>', 'product they are made for; created when it is missing', 'virtual')
    .option('--count <number>', 'how many devices run', wholeNumber, 1)
    .option('--folder <folder>', 'where the devices live, one folder each', './devices')
    .option('--release <id>', 'release of the first firmware (default: the newest, else a small one of our own)')
    .addOption(new Option('--board <chip>', 'chip that new devices are made on').choices(CHIPS).default('nrf52840'))
    .addOption(new Option('--enroll <way>', 'how they get their certificate').choices(WAYS).default('csr'));
  addConnectionOptions(run).action(() => runDevices(run.opts<RunOptions>(), io));
}

async function runDevices(options: RunOptions, io: CommandIo): Promise<void> {
  const signal = stopSignal();
  const ending = new AbortController();
  // Between two connections nothing but timers waits, and those let a process end.
  void untilAborted(ending.signal);
  try {
    const { shelf, listeners } = await stock(options, io, signal);
    const serials = shelf.serials().slice(0, options.count);
    const plan = planOf(options.enroll);
    const ends = await Promise.all(serials.map((serial) => live(shelf, serial, { plan, listeners }, io, signal)));
    const failed = ends.find((end) => end !== undefined);
    if (failed !== undefined) throw toHoldfastError(failed);
  } finally {
    ending.abort();
  }
}

/** Makes what is missing of the devices asked for. */
async function stock(options: RunOptions, io: CommandIo, signal: AbortSignal) {
  const client = clientFrom(options, io);
  const { product, count, folder, board } = options;
  const { tenant, listeners } = await client.call('status.show', {});
  const hardwareRevision = await ensureProduct(client, product, slotBytes(BOARDS[board]));
  const plan = { client, tenant, product, hardwareRevision, board } as const;
  const shelf = new DeviceShelf(plan, path.resolve(folder));
  const missing = count - shelf.serials().length;
  if (missing > 0) {
    const factory = await Factory.open(plan);
    const firmware = await firstFirmware(client, product, options.release);
    for (let made = 0; made < missing && !signal.aborted; made++) {
      io.err(`${await shelf.make(factory, firmware)}: made\n`);
    }
  }
  return { shelf, listeners };
}

/** One device until the signal. What ends it before is told at once and given back; the others go on. */
async function live(
  shelf: DeviceShelf,
  serial: string,
  run: Omit<ShelfRun, 'onEvent'>,
  io: CommandIo,
  signal: AbortSignal,
): Promise<unknown> {
  const onEvent = (event: AgentEvent): void => {
    const words = describeEvent(event);
    if (words !== undefined) io.err(`${serial}: ${words}\n`);
  };
  try {
    await shelf.run(serial, { ...run, onEvent }, signal);
    return undefined;
  } catch (error) {
    io.err(`${serial}: ${describeFailure(error).line}\n`);
    return error;
  }
}

function planOf(way: RunOptions['enroll']): (claim: ClaimCredential) => EnrollmentPlan {
  if (way === 'est') return (claim) => ({ kind: 'est', claim });
  return (claim) => ({ kind: 'fleet', claim, format: 'json', key: way });
}
