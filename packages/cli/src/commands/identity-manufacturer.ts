import { readFileSync } from 'node:fs';
import {
  ActivateCertificate,
  ChangeManufacturer,
  type Manufacturer,
  type ManufacturerDetail,
  RegisterManufacturer,
} from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts } from '../output/table.ts';
import { addVerb, bodyOf, PAGING, pageQuery, pick, printPage } from './verb.ts';

const COLUMNS: readonly Column<Manufacturer>[] = [
  { title: 'AUTHORITY', value: (row) => row.id },
  { title: 'STATE', value: (row) => row.state },
  { title: 'REGISTRATION', value: (row) => row.registration },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'TEMPLATE', value: (row) => row.template },
];

function manufacturerFacts(manufacturer: ManufacturerDetail, io: CommandIo): string {
  const { pending } = manufacturer;
  const waiting = pending.map((row) => ['waits', `${row.fingerprint} ${row.subject}`] as const);
  return formatFacts(
    [
      ['authority', manufacturer.id],
      ['subject', manufacturer.subject],
      ['state', manufacturer.state],
      ['registration', manufacturer.registration],
      ['product', manufacturer.product],
      ['template', manufacturer.template],
      ['until', manufacturer.notAfter],
      ['waiting', pending.length],
      ...waiting,
    ],
    io,
  );
}

export function registerManufacturers(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'code',
    words: 'what a verification certificate must have as its common name',
    operation: 'manufacturers.code',
    input: () => ({}),
    print: ({ code }) => `${code}\n`,
  });
  addVerb(noun, io, {
    name: 'register',
    words: 'take in devices that have certificates of this authority',
    operation: 'manufacturers.register',
    operands: ['<certificate>'],
    options: [
      { flags: '--verification <file>', words: 'a certificate it issued for the registration code', required: true },
      { flags: '--template <name>', words: 'jitp template that registers its devices; an operator does without one' },
      { flags: '--product <name>', words: 'product of its devices (default: of the template)' },
      { flags: '--hardware-revision <name>', words: "hardware revision of its devices (default: the product's first)" },
    ],
    input: ([file = ''], options) => ({
      body: bodyOf(RegisterManufacturer, {
        certificatePem: readText(file),
        verificationPem: readText(String(options['verification'])),
        ...pick(options, { template: 'template', product: 'product', hardwareRevision: 'hardwareRevision' }),
      }),
    }),
    print: manufacturerFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list authorities of other makers',
    operation: 'manufacturers.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show an authority and the certificates that wait for an operator',
    operation: 'manufacturers.show',
    operands: ['<authority>'],
    input: ([manufacturer = '']) => ({ manufacturer }),
    print: manufacturerFacts,
  });
  for (const [name, state, words] of [
    ['activate', 'active', 'take in new devices of the authority again'],
    ['deactivate', 'inactive', 'take in no new devices of the authority; those registered stay'],
  ] as const) {
    addVerb(noun, io, {
      name,
      words,
      operation: 'manufacturers.change',
      operands: ['<authority>'],
      input: ([manufacturer = '']) => ({ manufacturer, body: bodyOf(ChangeManufacturer, { state }) }),
      print: manufacturerFacts,
    });
  }
}

/** A verb of the noun above: what waits is a certificate. */
export function registerActivation(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'activate',
    words: 'let a device in whose certificate of another maker waits',
    operation: 'certificates.activate',
    operands: ['<certificate>'],
    options: [
      { flags: '--device <name>', words: 'the device it is of' },
      { flags: '--template <name>', words: 'jitp template that names the device after its certificate' },
    ],
    input: ([certificate = ''], options) => ({
      certificate,
      body: bodyOf(ActivateCertificate, pick(options, { device: 'device', template: 'template' })),
    }),
    print: ({ device, fingerprint }, to) =>
      formatFacts(
        [
          ['device', device],
          ['certificate', fingerprint],
        ],
        to,
      ),
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
