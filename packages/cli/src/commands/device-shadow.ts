import { readFileSync } from 'node:fs';
import { type Shadow, ShadowQuery, UpdateShadow } from '@holdfast/api';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts } from '../output/table.ts';
import {
  addVerb,
  bodyOf,
  type GivenOptions,
  PAGING,
  pageQuery,
  pick,
  printPage,
  type VerbOption,
  wholeNumber,
} from './verb.ts';

const NAME: VerbOption = { flags: '--name <shadow>', words: 'a named shadow (default: the classic one)' };

export function registerShadows(noun: Command, io: CommandIo): void {
  const query = (options: GivenOptions) => bodyOf(ShadowQuery, pick(options, { name: 'name' }));
  addVerb(noun, io, {
    name: 'get',
    words: 'what a device shall be, says it is, and the difference',
    operation: 'shadows.show',
    operands: ['<device>'],
    options: [NAME],
    input: ([device = ''], options) => ({ device, query: query(options) }),
    print: printShadow,
  });
  addVerb(noun, io, {
    name: 'set',
    words: 'merge into a shadow; null removes an attribute',
    operation: 'shadows.update',
    operands: ['<device>'],
    options: [
      NAME,
      { flags: '--desired <json>', words: 'JSON object, or @FILE' },
      { flags: '--reported <json>', words: 'JSON object, or @FILE: the device’s own word, for tests' },
      { flags: '--if-version <number>', words: 'only if the shadow has this version', parse: wholeNumber },
    ],
    input: ([device = ''], options) => ({
      device,
      query: query(options),
      body: bodyOf(UpdateShadow, {
        ...pick({ desired: jsonOf(options, 'desired'), reported: jsonOf(options, 'reported') }, SECTIONS),
        ...pick(options, { version: 'ifVersion' }),
      }),
    }),
    print: printShadow,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'names of the named shadows of a device',
    operation: 'shadows.list',
    operands: ['<device>'],
    options: PAGING,
    input: ([device = ''], options) => ({ device, query: pageQuery(options) }),
    print: (page) => printPage(page, [{ title: 'SHADOW', value: (name: string) => name }], io),
  });
  addVerb(noun, io, {
    name: 'delete',
    words: 'delete a shadow; its version goes on if it comes back',
    operation: 'shadows.delete',
    operands: ['<device>'],
    options: [NAME],
    input: ([device = ''], options) => ({ device, query: query(options) }),
    print: () => '',
  });
}

const SECTIONS = { desired: 'desired', reported: 'reported' } as const;

function printShadow({ device, name, state, version, changedAt }: Shadow, io: CommandIo): string {
  const section = (value: unknown) => (value === undefined ? undefined : JSON.stringify(value));
  return formatFacts(
    [
      ['device', device],
      ['shadow', name ?? '(classic)'],
      ['version', version],
      ['changed', changedAt],
      ['desired', section(state.desired)],
      ['reported', section(state.reported)],
      ['delta', section(state.delta)],
    ],
    io,
  );
}

/** @throws `cli.usage` when it is no JSON; `cli.file_unusable` */
function jsonOf(options: GivenOptions, name: 'desired' | 'reported'): unknown {
  const given = options[name];
  if (typeof given !== 'string') return undefined;
  const text = given.startsWith('@') ? readText(given.slice(1)) : given;
  try {
    return parseStrictJson(text);
  } catch (cause) {
    throw new HoldfastError('cli.usage', { field: name, reason: 'not JSON' }, { cause });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path }, { cause });
  }
}
