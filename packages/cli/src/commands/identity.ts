import { AssignGroups, DescribeDevice, type Device, EstablishDevice, RevokeDevice } from '@holdfast/api';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts } from '../output/table.ts';
import { registerAuthority } from './identity-ca.ts';
import { registerTpms } from './identity-tpm.ts';
import { registerPasswords, registerRequests } from './identity-enrollment.ts';
import { registerEnroll } from './identity-enroll.ts';
import { registerCampaigns, registerDecommission, registerRatchet } from './identity-renewal.ts';
import { registerRevocations } from './identity-revocation.ts';
import { registerTransfer } from './identity-transfer.ts';
import { registerOperators } from './operator.ts';
import { registerClaims } from './identity-claim.ts';
import { registerBulk } from './identity-bulk.ts';
import { registerActivation, registerManufacturers } from './identity-manufacturer.ts';
import { registerTemplates } from './identity-template.ts';
import { addVerb, bodyOf, list, PAGING, pageQuery, pick, printPage } from './verb.ts';

const DEVICE_COLUMNS: readonly Column<Device>[] = [
  { title: 'DEVICE', value: (row) => row.id },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'STATE', value: (row) => row.state },
  { title: 'POSTURE', value: (row) => row.posture.state },
  { title: 'FIRMWARE', value: (row) => row.firmware?.version },
  { title: 'CONNECTED', value: (row) => (row.presence.connected ? row.presence.since : 'no') },
  { title: 'GROUPS', value: (row) => row.groups.join(',') },
];

export function deviceFacts(device: Device, io: CommandIo): string {
  return formatFacts(
    [
      ['device', device.id],
      ['serial', device.serial],
      ['product', device.product],
      ['hardware revision', device.hardwareRevision],
      ['state', device.state],
      ['held back', device.stateReason],
      ['posture', device.posture.state],
      ['because', device.posture.reasons.map(({ words }) => words).join('; ')],
      ['firmware', device.firmware?.version],
      ['security counter', device.firmware?.securityCounter],
      ['last evidence', device.posture.evidenceAt],
      ['connected since', device.presence.connected ? device.presence.since : undefined],
      ['groups', device.groups.join(',')],
      ['attributes', attributesText(device.attributes)],
    ],
    io,
  );
}

export function registerIdentity(noun: Command, io: CommandIo): void {
  const claims = noun.command('claim').description('bootstrap credentials');
  registerClaims(claims, io);
  registerPasswords(claims, io);
  registerTpms(noun.command('tpm').description('devices that enroll by the TPM in them'), io);
  registerRequests(noun.command('request').description('devices that wait for approval'), io);
  registerTemplates(noun.command('template').description('provisioning templates, as AWS writes them'), io);
  registerManufacturers(
    noun.command('manufacturer').description('authorities of other makers whose devices are taken in'),
    io,
  );
  registerActivation(noun, io);
  registerBulk(noun, io);
  registerAuthority(noun.command('ca').description('the authorities, and the ceremony of their root'), io);
  registerCampaigns(noun.command('campaign').description('renewal of a fleet before its time'), io);
  registerDecommission(noun.command('decommission').description('the end of a device, proven by its key'), io);
  registerRatchet(noun.command('ratchet').description('what a device shows of its last connection'), io);
  registerOperators(noun.command('operator').description('who manages from elsewhere, by certificate'), io);
  registerRegistry(noun, io);
  registerLifecycle(noun, io);
  registerRevocations(noun, io);
  registerEnroll(noun, io);
  registerTransfer(noun, io);
}

function registerRegistry(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'create',
    words: 'establish a device in the registry before it enrolls',
    operation: 'devices.create',
    operands: ['<device>'],
    options: [
      { flags: '--product <name>', words: 'product it belongs to', required: true },
      { flags: '--serial <serial>', words: 'serial number (default: the device id)' },
      { flags: '--hardware-revision <name>', words: 'hardware revision (default: rev-a)' },
      { flags: '--groups <names>', words: 'groups, comma separated', parse: list },
      { flags: '--attestation-anchor <base64>', words: 'public key that certifies its measurements (SPKI)' },
      { flags: '--ueid <hex>', words: 'RFC 9711 UEID' },
    ],
    input: ([id], options) => ({
      body: bodyOf(EstablishDevice, {
        id,
        serial: id,
        hardwareRevision: 'rev-a',
        ...pick(options, {
          product: 'product',
          serial: 'serial',
          hardwareRevision: 'hardwareRevision',
          groups: 'groups',
          attestationAnchor: 'attestationAnchor',
          ueid: 'ueid',
        }),
      }),
    }),
    print: deviceFacts,
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list devices',
    operation: 'devices.list',
    options: [
      { flags: '--product <name>', words: 'of this product' },
      { flags: '--group <name>', words: 'in this group' },
      { flags: '--state <state>', words: 'in this state' },
      { flags: '--prefix <text>', words: 'whose id begins so' },
      ...PAGING,
    ],
    input: (_, options) => ({
      query: {
        ...pageQuery(options),
        ...pick(options, { product: 'product', group: 'group', state: 'state', prefix: 'prefix' }),
      },
    }),
    print: (page) => printPage(page, DEVICE_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'show a device',
    operation: 'devices.show',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: (device) =>
      deviceFacts(device, io) +
      device.certificates
        .map((row) => formatFacts([['certificate', `${row.fingerprint} ${row.state} until ${row.notAfter}`]], io))
        .join(''),
  });
  addVerb(noun, io, {
    name: 'groups',
    words: 'set the groups of a device',
    operation: 'devices.groups',
    operands: ['<device>', '<groups>'],
    input: ([device = '', groups = '']) => ({ device, body: bodyOf(AssignGroups, { groups: list(groups) }) }),
    print: deviceFacts,
  });
  addVerb(noun, io, {
    name: 'attributes',
    words: 'replace the attributes of a device: name=value, comma separated',
    operation: 'devices.attributes',
    operands: ['<device>', '<attributes>'],
    input: ([device = '', attributes = '']) => ({
      device,
      body: bodyOf(DescribeDevice, { attributes: attributesFrom(attributes) }),
    }),
    print: deviceFacts,
  });
}

const attributesText = (attributes: Device['attributes']): string =>
  Object.entries(attributes)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

/** `name=value`, several by comma. */
function attributesFrom(text: string): Record<string, string> {
  const pairs = list(text).map((pair) => {
    const equals = pair.indexOf('=');
    return equals < 1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

function registerLifecycle(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'revoke',
    words: 'revoke a device: every certificate, session, download and open job',
    operation: 'devices.revoke',
    operands: ['<device>'],
    options: [{ flags: '--reason <reason>', words: 'RFC 5280 reason (default: unspecified)' }],
    input: ([device = ''], options) => ({ device, body: bodyOf(RevokeDevice, pick(options, { reason: 'reason' })) }),
    print: (outcome) =>
      formatFacts(
        [
          ['outcome', outcome.kind],
          ['certificates revoked', outcome.certificates],
          ['sessions cut', outcome.sessionsCut],
          ['took ms', Math.round(outcome.elapsedMs)],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'suspend',
    words: 'hold a device back until it is re-admitted',
    operation: 'devices.suspend',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: deviceFacts,
  });
  addVerb(noun, io, {
    name: 'archive',
    words: 'put a revoked device away for good',
    operation: 'devices.archive',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: deviceFacts,
  });
  addVerb(noun, io, {
    name: 'readmit',
    words: 'let a revoked, suspended or quarantined device back in',
    operation: 'devices.readmit',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: deviceFacts,
  });
}
