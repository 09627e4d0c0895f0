import type { OutsiderLine } from '../outsider-line.ts';
import { ADMITTED, credentialsOf, knock } from '../outsider.ts';
import { findingOf, type Trial } from '../trial.ts';
import { soon } from '../waiting.ts';

const DEVICE = 'copied-1';
/** Two machines, as far as the server can tell. Only Linux answers to the whole of 127/8; elsewhere the ports differ. */
const ADDRESSES = ['127.0.0.1', process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'] as const;
const ROUNDS = 4;

export const COPIED_KEY: Trial = {
  name: 'copied-key',
  title: 'two machines use the same key in turn',
  expected: 'both lose the device at the third take-over, and the reason names both addresses',
  async perform(stage) {
    const claim = await stage.claim({ serials: [DEVICE], autoRegister: true });
    const who = credentialsOf(await stage.enrollBare(claim, DEVICE));
    const lines: OutsiderLine[] = [];
    const answers: string[] = [];
    const states: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { answer, line } = await knock(stage, who, { localAddress: ADDRESSES[round % 2] ?? ADDRESSES[0] });
      answers.push(answer);
      lines.push(line);
      states.push((await stage.client.call('devices.show', { device: DEVICE })).state);
    }
    const isOver = async (): Promise<true | undefined> => (lines.some(({ isOpen }) => isOpen) ? undefined : true);
    const areCut = (await soon(isOver, stage)) ?? false;
    const device = await stage.client.call('devices.show', { device: DEVICE });
    const again = await Promise.all(ADDRESSES.map((localAddress) => knock(stage, who, { localAddress })));
    for (const line of [...lines, ...again.map((knocked) => knocked.line)]) await line.close();
    const { stateReason = '' } = device;
    const named = ADDRESSES.every((address) => stateReason.includes(`${address}:`));
    // The first connection takes nothing over.
    const patient = states.slice(0, ROUNDS - 1).every((state) => state === 'active');
    const admitted = answers.filter((answer) => answer === ADMITTED).length;
    return findingOf([
      [
        'connections',
        `${admitted} of ${ROUNDS} admitted, ${areCut ? 'none' : 'some'} left`,
        admitted >= ROUNDS - 1 && areCut,
      ],
      ['after two take-overs', states[ROUNDS - 2] ?? '-', patient],
      ['after the third', device.state, device.state === 'quarantined'],
      ['reason', stateReason, named],
      ['both again', again.map(({ answer }) => answer).join(', '), again.every(({ answer }) => answer !== ADMITTED)],
    ]);
  },
};
