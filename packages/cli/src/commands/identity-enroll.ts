import { HoldfastError } from '@holdfast/kernel';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ProgressLine } from '../demo/progress.ts';
import { describeFailure } from '../output/failure.ts';
import type { CommandIo } from '../output/io.ts';
import { formatFacts, formatJson } from '../output/table.ts';
import type { BatchPlan, BatchSummary } from '../station/batch.ts';
import type { BatchRow } from '../station/batch-rows.ts';
import { FORMAT_NAMES, FORMATS, type FormatName, type KeyPlace } from '../station/outputs/index.ts';
import { stopSignal } from './stop-signal.ts';
import { addConnectionOptions, clientFrom, list, wholeNumber } from './verb.ts';

const MAX_PARALLEL = 32;
const KIB = 1024;
/** A station works a shift; a device may lie in its box for a month. */
const HOURS: Readonly<Record<KeyPlace, number>> = { station: 24, csr: 24, field: 24 * 30 };

interface EnrollOptions {
  readonly [option: string]: unknown;
  readonly product: string;
  readonly out: string;
  readonly batch?: string;
  readonly serial?: string;
  readonly groups?: readonly string[];
  readonly hardwareRevision?: string;
  readonly keys?: 'station' | 'field';
  readonly csrDir?: string;
  readonly format: readonly FormatName[];
  readonly parallel: number;
  readonly expiresInHours?: number;
  readonly enrollUrl?: string;
  readonly nvsSize: number;
  readonly nvsEncrypt?: boolean;
  readonly json?: boolean;
}

export function registerEnroll(noun: Command, io: CommandIo): void {
  const enroll = noun
    .command('enroll')
    .description('a factory station: certificates for a batch of devices, and the files their makers flash')
    .requiredOption('--product <name>', 'product of the devices')
    .requiredOption('--out <folder>', 'gets a folder for each device; the same command again goes on where it stopped')
    .option('--batch <file>', 'CSV with the columns serial and, if wanted, groups, mac and attributes')
    .option('--serial <serial>', 'one device in place of a batch')
    .option('--groups <names>', 'groups of that one device, comma separated', list)
    .option('--hardware-revision <name>', "their hardware revision (default: the product's first)")
    .addOption(
      new Option('--keys <place>', 'who makes the keys: station, or the device later in the field').choices([
        'station',
        'field',
      ]),
    )
    .option('--csr-dir <folder>', 'the devices made their keys: SERIAL.csr for each, PEM or DER')
    .option('--format <names>', `what to write: ${FORMAT_NAMES.join(',')} (default: pem)`, formats, ['pem'])
    .option('--parallel <count>', `devices in work at once, 1-${MAX_PARALLEL}`, parallel, 4)
    .option('--expires-in-hours <hours>', "life of the batch's claim (default: 24; 720 with --keys field)", wholeNumber)
    .option('--enroll-url <url>', 'where devices in the field enroll; goes on their labels')
    .option('--nvs-size <kib>', 'size of NVS partitions in KiB, a multiple of 4', wholeNumber, 16)
    .option('--nvs-encrypt', 'encrypt each NVS partition under keys of its own, in nvs-keys.bin')
    .option('--json', 'one JSON document');
  addConnectionOptions(enroll).action(() => runEnroll(enroll.opts<EnrollOptions>(), io));
}

async function runEnroll(options: EnrollOptions, io: CommandIo): Promise<void> {
  const plan = await planOf(options);
  if (plan.key === 'station') {
    io.err(
      'keys are made on this station, for chips that cannot make one: guard the folder, and erase it when flashed\n',
    );
  }
  const { runBatch } = await import('../station/batch.ts');
  const signal = stopSignal();
  const progress = new ProgressLine(io);
  const summary = await runBatch(plan, {
    client: clientFrom(options, io),
    io: { ...io, err: (text) => (progress.clear(), io.err(text)) },
    signal,
    onProgress: (done, of) => progress.show(`${done} of ${of}`),
  });
  progress.clear();
  io.out(describe(summary, options, io));
  throwUnlessDone(summary);
}

async function planOf(options: EnrollOptions): Promise<BatchPlan> {
  const key = keyPlace(options);
  const wrong = options.format.find((name) => !FORMATS[name].places.some((place) => place === key));
  if (wrong !== undefined) {
    const reason = key === 'csr' ? 'the key is in the device' : 'the certificate comes later';
    throw new HoldfastError('cli.usage', { option: `--format ${wrong}`, reason });
  }
  return {
    product: options.product,
    hardwareRevision: options.hardwareRevision,
    key,
    formats: [...new Set(options.format)],
    out: options.out,
    csrFolder: options.csrDir ?? '',
    parallel: options.parallel,
    expiresInHours: options.expiresInHours ?? HOURS[key],
    enrollUrl: options.enrollUrl,
    nvs: { length: options.nvsSize * KIB, encrypted: options.nvsEncrypt === true },
    rows: await rowsOf(options),
  };
}

function keyPlace({ keys, csrDir }: EnrollOptions): KeyPlace {
  if (csrDir === undefined) return keys ?? 'station';
  if (keys !== undefined) throw new HoldfastError('cli.usage', { option: '--keys', reason: 'goes without --csr-dir' });
  return 'csr';
}

async function rowsOf({ batch, serial, groups = [] }: EnrollOptions): Promise<readonly BatchRow[]> {
  if ((batch === undefined) === (serial === undefined)) {
    throw new HoldfastError('cli.usage', { reason: 'give --batch or --serial, one of the two' });
  }
  if (serial !== undefined) return [{ line: 0, serial: checkSerial(serial), groups, attributes: {} }];
  if (groups.length > 0) throw new HoldfastError('cli.usage', { option: '--groups', reason: 'goes with --serial' });
  const { readBatch } = await import('../station/batch-rows.ts');
  return readBatch(batch ?? '');
}

/** It becomes the name of a folder. */
function checkSerial(serial: string): string {
  if (!/^[a-zA-Z0-9:_-]{1,128}$/.test(serial)) throw new HoldfastError('identity.bad_device_name');
  return serial;
}

function describe(summary: BatchSummary, options: EnrollOptions, io: CommandIo): string {
  const { enrolled, present, refused, left } = summary;
  if (options.json === true) {
    const named = refused.map(({ serial, error }) => ({ serial, reason: describeFailure(error).line }));
    return formatJson({ enrolled, present, left, refused: named });
  }
  return formatFacts(
    [
      ['enrolled', enrolled],
      ['finished before', present],
      ['refused', refused.length],
      ...(left === 0 ? [] : [['left', left] as const]),
      ['folder', options.out],
    ],
    io,
  );
}

function throwUnlessDone({ refused, left, enrolled, present }: BatchSummary): void {
  if (left > 0) throw new HoldfastError('kernel.aborted', { left });
  const of = enrolled + present + refused.length;
  if (refused.length > 0) throw new HoldfastError('cli.batch_incomplete', { missing: refused.length, of });
}

function formats(text: string): readonly FormatName[] {
  const names = list(text);
  const known = names.flatMap((name) => FORMAT_NAMES.filter((each) => each === name));
  if (known.length === 0 || known.length !== names.length) {
    throw new InvalidArgumentError(`one or more of ${FORMAT_NAMES.join(', ')} are expected.`);
  }
  return known;
}

function parallel(text: string): number {
  const count = wholeNumber(text);
  if (count < 1 || count > MAX_PARALLEL) throw new InvalidArgumentError(`1 to ${MAX_PARALLEL} are expected.`);
  return count;
}
