import { readFileSync } from 'node:fs';
import { CreateTemplate, type KeptTemplate, type ProvisioningTemplate, UpdateTemplate } from '@holdfast/api';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts, formatTable } from '../output/table.ts';
import { addVerb, bodyOf, type GivenOptions, PAGING, pageQuery, pick, printPage, type VerbOption } from './verb.ts';

const COLUMNS: readonly Column<ProvisioningTemplate>[] = [
  { title: 'TEMPLATE', value: (row) => row.name },
  { title: 'KIND', value: (row) => row.kind },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'VERSION', value: (row) => row.version },
  { title: 'REGISTERED', value: (row) => row.used },
  { title: 'HOOK', value: (row) => row.webhook?.url },
];

const CHECKS: readonly VerbOption[] = [
  { flags: '--rule <file>', words: 'JSON of a rule: serials, parameters, maxDevices' },
  { flags: '--hook <url>', words: 'HTTPS address to ask before each registration' },
  { flags: '--hook-ca <file>', words: 'PEM of the authorities of its server (default: those of the system)' },
];

function templateFacts(template: ProvisioningTemplate, io: CommandIo): string {
  const { rule } = template;
  return formatFacts(
    [
      ['template', template.name],
      ['kind', template.kind],
      ['product', template.product],
      ['version', template.version],
      ['registered', template.used],
      ['at most', rule?.maxDevices],
      ['serial numbers', rule?.serials?.length],
      ['parameters', rule?.parameters && Object.keys(rule.parameters).join(',')],
      ['hook', template.webhook?.url],
      ['changed', template.changedAt],
    ],
    io,
  );
}

/** The secret of a hook is shown once, apart from the facts, so that it is not missed. */
function keptFacts(kept: KeptTemplate, io: CommandIo): string {
  const secret = kept.webhookSecret === undefined ? [] : [['hook secret', kept.webhookSecret] as const];
  if (secret.length > 0) io.err('the hook verifies us by this secret; it is not shown again\n');
  return templateFacts(kept, io) + (secret.length > 0 ? formatFacts(secret, io) : '');
}

export function registerTemplates(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'create',
    words: 'create a provisioning template from an AWS document',
    operation: 'templates.create',
    operands: ['<template>', '<file>'],
    options: [
      { flags: '--product <name>', words: 'product of the devices it registers', required: true },
      { flags: '--kind <kind>', words: 'fleet (for claims) or jitp (for authorities and bulk; default: fleet)' },
      ...CHECKS,
    ],
    input: ([name, file = ''], options) => ({
      body: bodyOf(CreateTemplate, {
        name,
        body: readText(file),
        ...pick(options, { product: 'product', kind: 'kind' }),
        ...checksOf(options),
      }),
    }),
    print: keptFacts,
  });
  addVerb(noun, io, {
    name: 'update',
    words: 'make a new version of a template; it is in force at once',
    operation: 'templates.update',
    operands: ['<template>'],
    options: [
      { flags: '--body <file>', words: 'another AWS document' },
      ...CHECKS,
      { flags: '--no-rule', words: 'take the rule away' },
      { flags: '--no-hook', words: 'take the hook away' },
    ],
    input: ([template = ''], options) => ({
      template,
      body: bodyOf(UpdateTemplate, {
        ...(typeof options['body'] === 'string' ? { body: readText(options['body']) } : {}),
        ...checksOf(options),
      }),
    }),
    print: keptFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list provisioning templates',
    operation: 'templates.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a template; its document with --json',
    operation: 'templates.show',
    operands: ['<template>'],
    input: ([template = '']) => ({ template }),
    print: templateFacts,
  });
  addVerb(noun, io, {
    name: 'versions',
    words: 'the versions of a template, newest first; their documents with --json',
    operation: 'templates.versions',
    operands: ['<template>'],
    input: ([template = '']) => ({ template }),
    print: ({ rows }) =>
      formatTable(
        rows,
        [
          { title: 'VERSION', value: (row) => row.version },
          { title: 'SINCE', value: (row) => row.createdAt },
          { title: 'BY', value: (row) => row.createdBy },
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'delete',
    words: 'delete a template; claims that name it register nobody from then on',
    operation: 'templates.remove',
    operands: ['<template>'],
    input: ([template = '']) => ({ template }),
    print: () => '',
  });
}

function checksOf(options: GivenOptions): Record<string, unknown> {
  const { rule, hook, hookCa } = options;
  return {
    ...(rule === false ? { rule: null } : typeof rule === 'string' ? { rule: parseStrictJson(readText(rule)) } : {}),
    ...(hook === false
      ? { webhook: null }
      : typeof hook === 'string'
        ? { webhook: { url: hook, ...(typeof hookCa === 'string' ? { caPem: readText(hookCa) } : {}) } }
        : {}),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
