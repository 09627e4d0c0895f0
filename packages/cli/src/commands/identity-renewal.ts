import { readFileSync } from 'node:fs';
import { type Campaign, DecommissionDevice, type Ratchet, StartCampaign } from '@holdfast/api';
import { HoldfastError } from '@holdfast/kernel';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { type Column, formatFacts } from '../output/table.ts';
import { addVerb, bodyOf, pick, printPage, wholeNumber } from './verb.ts';

const CAMPAIGN_COLUMNS: readonly Column<Campaign>[] = [
  { title: 'CAMPAIGN', value: (row) => row.id },
  { title: 'STATE', value: (row) => row.state },
  { title: 'PRODUCT', value: (row) => row.product },
  { title: 'GROUP', value: (row) => row.group },
  { title: 'A MINUTE', value: (row) => String(row.perMinute) },
  { title: 'REACHED', value: (row) => String(row.reached) },
  { title: 'STARTED', value: (row) => row.startedAt },
];

const campaignFacts = (row: Campaign): Parameters<typeof formatFacts>[0] => [
  ['campaign', row.id],
  ['state', row.state],
  ['product', row.product],
  ['group', row.group],
  ['devices a minute', row.perMinute],
  ['reached', row.reached],
  ['started', row.startedAt],
  ['by', row.startedBy],
  ['ended', row.endedAt],
];

/** Has a fleet renew its certificates before their time. */
export function registerCampaigns(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'start',
    words: 'have devices renew their certificates, so many a minute',
    operation: 'campaigns.start',
    options: [
      {
        flags: '--per-minute <number>',
        words: 'devices whose turn comes, a minute',
        required: true,
        parse: wholeNumber,
      },
      { flags: '--product <name>', words: 'devices of this product (default: all)' },
      { flags: '--group <name>', words: 'devices in this group (default: all)' },
    ],
    input: (_, options) => ({
      body: bodyOf(StartCampaign, pick(options, { product: 'product', group: 'group', perMinute: 'perMinute' })),
    }),
    print: (campaign) => formatFacts(campaignFacts(campaign), io),
  });
  addVerb(noun, io, {
    name: 'list',
    words: 'list campaigns, newest first',
    operation: 'campaigns.list',
    input: () => ({}),
    print: (page) => printPage(page, CAMPAIGN_COLUMNS, io),
  });
  addVerb(noun, io, {
    name: 'show',
    words: 'how far a campaign is',
    operation: 'campaigns.show',
    operands: ['<campaign>'],
    input: ([campaign = '']) => ({ campaign }),
    print: (campaign) =>
      formatFacts([...campaignFacts(campaign), ['devices', campaign.devices], ['renewed', campaign.renewed]], io),
  });
  addVerb(noun, io, {
    name: 'stop',
    words: 'tell no more devices; what was renewed stays',
    operation: 'campaigns.stop',
    operands: ['<campaign>'],
    input: ([campaign = '']) => ({ campaign }),
    print: (campaign) => formatFacts(campaignFacts(campaign), io),
  });
}

function ratchetFacts({ takesPart, turns, turnedAt, address }: Ratchet, io: CommandIo): string {
  return formatFacts(
    [
      ['takes part', takesPart ? 'yes' : 'no'],
      ['turns', turns],
      ['last turn', turnedAt],
      ['from', address],
    ],
    io,
  );
}

/** The value by which a copied key is noticed at its first double use. */
export function registerRatchet(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'show',
    words: 'whether a device shows a value of its last connection at the next, and when it changed',
    operation: 'devices.ratchet',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: (ratchet) => ratchetFacts(ratchet, io),
  });
  addVerb(noun, io, {
    name: 'reset',
    words: 'let a device begin anew whose memory was put back or whose software takes no part any more',
    operation: 'devices.reset-ratchet',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: (ratchet) => ratchetFacts(ratchet, io),
  });
}

/** The end of a device by the last word of its key. */
export function registerDecommission(noun: Command, io: CommandIo): void {
  addVerb(noun, io, {
    name: 'challenge',
    words: 'what the key of a device has to sign before it is destroyed',
    operation: 'devices.destruction-challenge',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: ({ challenge, until }) =>
      formatFacts(
        [
          ['challenge', challenge],
          ['good until', until],
        ],
        io,
      ),
  });
  addVerb(noun, io, {
    name: 'complete',
    words: 'revoke and archive a device: {"statement", "signature"} in base64, as the SDK gave it when the key ended',
    operation: 'devices.decommission',
    operands: ['<device>', '<proof>'],
    input: ([device = '', file = '']) => ({ device, body: bodyOf(DecommissionDevice, proofFrom(file)) }),
    print: (device) =>
      formatFacts(
        [
          ['device', device.id],
          ['state', device.state],
        ],
        io,
      ),
  });
}

function proofFrom(file: string): Record<string, unknown> {
  try {
    const proof: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return proof !== null && typeof proof === 'object' ? { ...proof } : {};
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
