import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts } from '../output/table.ts';
import { registerReferences } from './posture-reference.ts';
import { addVerb } from './verb.ts';

export function registerPosture(noun: Command, io: CommandIo): void {
  registerReferences(noun.command('reference').description('what the registers of TPM gateways must hold'), io);
  addVerb(noun, io, {
    name: 'show',
    words: 'what a device has proven, and what it may do for it',
    operation: 'devices.show',
    operands: ['<device>'],
    input: ([device = '']) => ({ device }),
    print: ({ id, posture, firmware }) =>
      formatFacts(
        [
          ['device', id],
          ['posture', posture.state],
          ...posture.reasons.map(({ words }) => ['because', words] as const),
          ['firmware', firmware?.version],
          ['security counter', firmware?.securityCounter],
          ['measurement', firmware?.digest],
          ['boot state', firmware?.bootState],
          ['evidence at', posture.evidenceAt],
        ],
        io,
      ),
  });
}
