import {
  CreateProduct,
  type Product,
  RaiseMinimum,
  SetChip,
  SetEnrollmentTerms,
  SetEvidencePolicy,
} from '@holdfast/api';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { registerProductKeys } from './product-keys.ts';
import { type Column, formatFacts } from '../output/table.ts';
import {
  addVerb,
  bodyOf,
  type GivenOptions,
  list,
  PAGING,
  pageQuery,
  pick,
  printPage,
  type VerbOption,
  wholeNumber,
} from './verb.ts';

const PRODUCT_COLUMNS: readonly Column<Product>[] = [
  { title: 'PRODUCT', value: (row) => row.name },
  { title: 'REVISIONS', value: (row) => row.hardwareRevisions.join(',') },
  { title: 'EVIDENCE', value: (row) => row.evidence },
  { title: 'MINIMUM', value: (row) => `${row.minimumVersion ?? '-'} / ${row.minimumSecurityCounter}` },
  { title: 'IMAGE KEY', value: (row) => row.imageKey?.kind },
];

const MINIMUM: readonly VerbOption[] = [
  { flags: '--version <version>', words: 'oldest version that keeps full rights' },
  { flags: '--security-counter <number>', words: 'lowest counter that keeps full rights', parse: wholeNumber },
  { flags: '--reason <text>', words: 'why, for the log', required: true },
];

function productFacts(product: Product, io: CommandIo): string {
  return formatFacts(
    [
      ['product', product.name],
      ['hardware revisions', product.hardwareRevisions.join(',')],
      ['evidence', product.evidence],
      ['minimum version', product.minimumVersion],
      ['minimum security counter', product.minimumSecurityCounter],
      ['approval', product.enrollment.approval],
      ['server-made keys', product.enrollment.serverKeys],
      ['binding', product.enrollment.binding],
      ['image key', product.imageKey && `${product.imageKey.kind} ${product.imageKey.keyHash}`],
      ['image layout', `${product.boot.format}, header ${product.boot.headerSize}, slot ${product.boot.slotSize}`],
      ['rehearsed in', product.boot.chip && `${product.boot.chip}, ${product.boot.strategy ?? 'its usual strategy'}`],
    ],
    io,
  );
}

function minimumOf(options: GivenOptions) {
  return bodyOf(
    RaiseMinimum,
    pick(options, { version: 'version', securityCounter: 'securityCounter', reason: 'reason' }),
  );
}

/** Products belong to the boot room: it owns their keys and their firmware policy. */
export function registerProducts(noun: Command, io: CommandIo): void {
  registerProductKeys(noun.command('key').description('the keys its images are signed with'), io);
  addVerb(noun, io, {
    name: 'create',
    words: 'create a product and the key its images are signed with',
    operation: 'products.create',
    operands: ['<product>'],
    options: [
      { flags: '--hardware-revisions <names>', words: 'comma separated (default: rev-a)', parse: list },
      { flags: '--evidence <policy>', words: 'required (default) or none: whether success must be proven' },
      { flags: '--image-key <kind>', words: 'ecdsa-p256 (default), ed25519, rsa-2048 or rsa-3072' },
      {
        flags: '--image-key-reference <reference>',
        words: 'image key in a token or service instead: pkcs11:token=LABEL;object=LABEL or kms:ARN',
      },
      { flags: '--slot-size <bytes>', words: 'bytes of a slot (default: 1048576)', parse: wholeNumber },
      { flags: '--chip <chip>', words: 'virtual chip its releases are rehearsed in (default: by image format)' },
      { flags: '--strategy <strategy>', words: "how that boots (default: the chip's usual way)" },
    ],
    input: ([name], options) => ({
      body: bodyOf(CreateProduct, {
        name,
        ...pick(options, {
          hardwareRevisions: 'hardwareRevisions',
          evidence: 'evidence',
          imageKeyKind: 'imageKey',
          imageKeyReference: 'imageKeyReference',
        }),
        boot: { format: 'mcuboot', ...pick(options, { slotSize: 'slotSize', chip: 'chip', strategy: 'strategy' }) },
      }),
    }),
    print: productFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list products',
    operation: 'products.list',
    options: PAGING,
    input: (_, options) => ({ query: pageQuery(options) }),
    print: (page) => printPage(page, PRODUCT_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a product',
    operation: 'products.show',
    operands: ['<product>'],
    input: ([product = '']) => ({ product }),
    print: productFacts,
  });
  addVerb(noun, io, {
    name: 'evidence',
    words: 'choose whether its updates must be proven (required) or are believed (none)',
    operation: 'products.set-evidence',
    operands: ['<product>', '<policy>'],
    options: [{ flags: '--reason <text>', words: 'why, for the log', required: true }],
    input: ([product = '', evidence], options) => ({
      product,
      body: bodyOf(SetEvidencePolicy, { evidence, ...pick(options, { reason: 'reason' }) }),
    }),
    print: productFacts,
  });
  addVerb(noun, io, {
    name: 'enrollment',
    words: 'set what enrolling its devices asks',
    operation: 'products.set-enrollment',
    operands: ['<product>'],
    options: [
      { flags: '--approval <who>', words: 'automatic, or operator: devices wait until one approved them' },
      { flags: '--server-keys <where>', words: 'where the server may make keys: never, aws or everywhere' },
      { flags: '--binding <policy>', words: 'proof of possession bound to TLS 1.2: if-present or required' },
    ],
    input: ([product = ''], options) => ({
      product,
      body: bodyOf(
        SetEnrollmentTerms,
        pick(options, { approval: 'approval', serverKeys: 'serverKeys', binding: 'binding' }),
      ),
    }),
    print: productFacts,
  });
  addVerb(noun, io, {
    name: 'chip',
    words: 'set the virtual chip its releases are rehearsed in',
    operation: 'products.set-chip',
    operands: ['<product>', '<chip>'],
    options: [{ flags: '--strategy <strategy>', words: "how it boots (default: the chip's usual way)" }],
    input: ([product = '', chip = ''], options) => ({
      product,
      body: bodyOf(SetChip, { chip: chip.toLowerCase(), ...pick(options, { strategy: 'strategy' }) }),
    }),
    print: productFacts,
  });
  addVerb(noun, io, {
    name: 'preview-minimum',
    words: 'whom a new minimum would restrict',
    operation: 'products.preview-minimum',
    operands: ['<product>'],
    options: MINIMUM,
    input: ([product = ''], options) => ({ product, body: minimumOf(options) }),
    print: (preview) =>
      formatFacts(
        [
          ['restricts', preview.restricts],
          ['devices', preview.devices.join(',')],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'raise-minimum',
    words: 'restrict every device below this version or counter; cannot be lowered',
    operation: 'products.raise-minimum',
    operands: ['<product>'],
    options: MINIMUM,
    input: ([product = ''], options) => ({ product, body: minimumOf(options) }),
    print: productFacts,
  });
}
