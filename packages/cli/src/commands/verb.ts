import { type ApiClient, type CallInput, type CallOutput, type OperationName } from '@holdfast/api';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { HoldfastError } from '@holdfast/kernel';
import { createLocalClient } from '../connection/local-client.ts';
import { createRemoteClient, readProfile, RemoteProfile } from '../connection/remote-client.ts';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatJson, formatTable } from '../output/table.ts';

/** Options a user gave, by commander's attribute name. */
export type GivenOptions = Readonly<Record<string, unknown>>;

export interface VerbOption {
  /** As commander writes it: `--quota <number>`. */
  readonly flags: string;
  readonly words: string;
  readonly required?: true;
  readonly parse?: (text: string) => unknown;
}

/** One verb that is one call of the management API. */
export interface Verb<Name extends OperationName> {
  readonly name: string;
  readonly words: string;
  readonly operation: Name;
  /** Operands in order, as commander writes them: `<device>`. */
  readonly operands?: readonly string[];
  readonly options?: readonly VerbOption[];
  readonly input: (operands: readonly string[], options: GivenOptions) => CallInput<Name> | Promise<CallInput<Name>>;
  readonly print: (output: CallOutput<Name>, io: CommandIo) => string;
}

/** Adds a verb that calls the server over the socket of its data folder. */
export function addVerb<Name extends OperationName>(noun: Command, io: CommandIo, verb: Verb<Name>): void {
  const command = noun.command(verb.name).description(verb.words);
  for (const operand of verb.operands ?? []) command.argument(operand);
  for (const option of verb.options ?? []) command.addOption(toOption(option));
  addConnectionOptions(command).option('--json', 'one JSON document');
  command.action(async () => {
    const options: GivenOptions = command.opts();
    const client = clientFrom(options, io);
    const output = await client.call(verb.operation, await verb.input(command.args, options));
    io.out(options['json'] === true ? formatJson(output) : verb.print(output, io));
  });
}

export function addConnectionOptions(command: Command): Command {
  return command
    .option('--data <folder>', 'data folder of the server (default: $HOLDFAST_DATA or ./data)')
    .option('--profile <file>', 'a server elsewhere, by an operator profile (default: $HOLDFAST_PROFILE)')
    .option('--server <url>', 'a server elsewhere: https://host:9443, with --cert, --key and --ca')
    .option('--cert <file>', 'certificate of an operator')
    .option('--key <file>', 'private key of that certificate')
    .option('--ca <file>', 'roots that the server is verified by');
}

/** A server elsewhere when one is named, else the one of the data folder. @throws `cli.bad_profile` */
export function clientFrom(options: GivenOptions, io: CommandIo): ApiClient {
  const remote = remoteFrom(options, io);
  if (remote !== undefined) return createRemoteClient(remote);
  const given = options['data'] ?? io.environment['HOLDFAST_DATA'];
  return createLocalClient(typeof given === 'string' ? given : './data');
}

function remoteFrom(options: GivenOptions, io: CommandIo): RemoteProfile | undefined {
  const named = pick(options, { server: 'server', cert: 'cert', key: 'key', ca: 'ca' });
  if (Object.keys(named).length > 0) {
    const parsed = RemoteProfile.safeParse(named);
    if (!parsed.success) throw new HoldfastError('cli.bad_profile', { field: parsed.error.issues[0]?.path.join('.') });
    return parsed.data;
  }
  // A folder that is named is meant, whatever the environment says.
  const file = options['profile'] ?? (options['data'] === undefined ? io.environment['HOLDFAST_PROFILE'] : undefined);
  return typeof file === 'string' && file !== '' ? readProfile(file) : undefined;
}

function toOption(option: VerbOption): Option {
  const built = new Option(option.flags, option.words);
  if (option.parse !== undefined) built.argParser(option.parse);
  return option.required === true ? built.makeOptionMandatory() : built;
}

/** Reads a whole number. @throws a usage error otherwise */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('a whole number is expected.');
  return Number(text);
}

/** Reads a comma-separated list without empty parts. */
export function list(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '');
}

/** Given options by name, those not given left out, for a request body the API then checks. */
export function pick(options: GivenOptions, names: Readonly<Record<string, string>>): Record<string, unknown> {
  const picked = Object.entries(names).map(([field, option]) => [field, options[option]] as const);
  return Object.fromEntries(picked.filter(([, value]) => value !== undefined));
}

/** @throws `cli.usage` that names the field when the body has not the API's form. */
export function bodyOf<Schema extends z.ZodType>(schema: Schema, body: unknown): z.input<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return body as z.input<Schema>;
  const issue = parsed.error.issues[0];
  throw new HoldfastError('cli.usage', { field: issue?.path.join('.'), reason: issue?.message });
}

export const PAGING: readonly VerbOption[] = [
  { flags: '--after <position>', words: 'continue behind this position' },
  { flags: '--limit <count>', words: 'rows on this page, 1-1000 (default: 100)', parse: wholeNumber },
];

export function pageQuery(options: GivenOptions): Record<string, unknown> {
  return pick(options, { after: 'after', limit: 'limit' });
}

/** Prints a page as a table; the next position goes below it on a terminal. */
export function printPage<Row>(
  page: { readonly rows: readonly Row[]; readonly next?: string | undefined },
  columns: readonly Column<Row>[],
  io: CommandIo,
): string {
  if (page.next !== undefined) io.err(`more: --after ${page.next}\n`);
  if (page.rows.length === 0) io.err('nothing to list\n');
  return page.rows.length === 0 ? '' : formatTable(page.rows, columns, io);
}
