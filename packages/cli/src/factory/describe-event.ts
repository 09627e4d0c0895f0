import type { AgentEvent } from '@holdfast/device';

type Words = {
  readonly [Kind in AgentEvent['kind']]: (event: Extract<AgentEvent, { kind: Kind }>) => string | undefined;
};

const PERCENT = 25;

/** What a device does, for a person to read; undefined for steps that say nothing new. */
const WORDS: Words = {
  'boot-step': ({ step }) => {
    if (step.kind === 'swap') return `bootloader: ${step.resumed ? 'resumes' : 'begins'} a ${step.type} swap`;
    if (step.kind === 'counter-raised') return `bootloader: security counter raised from ${step.from} to ${step.to}`;
    return `bootloader: ${step.slot} image refused (${step.code})`;
  },
  booted: ({ mode, version, bootState, code }) =>
    mode === 'safe-mode' ? `safe mode (${code ?? ''})` : `boots ${version} (${bootState})`,
  enrolled: ({ deviceId }) => `enrolled as ${deviceId}`,
  renewed: () => 'certificate renewed',
  connected: () => 'connected',
  disconnected: ({ code, reason }) => `disconnected: ${code}${reason === '' ? '' : ` (${reason})`}`,
  evidence: ({ reply }) => `evidence accepted: ${[reply.posture, ...reply.reasons].join(', ')}`,
  'evidence-rejected': ({ code }) => `evidence rejected: ${code}`,
  job: ({ status, step, code }) =>
    `update ${status}${step === undefined ? '' : ` ${step}`}${code === undefined ? '' : ` (${code})`}`,
  downloading: ({ received, size }) => everyQuarter(received, size),
  staged: ({ version }) => `${version} written, restarts`,
  confirmed: ({ version }) => `${version} confirmed`,
  reset: ({ reason }) => `reset: ${reason}`,
};

export function describeEvent(event: AgentEvent): string | undefined {
  const words: (event: never) => string | undefined = WORDS[event.kind];
  return words(event as never);
}

/** Blocks are small: the one that completes a quarter speaks for all before it. */
function everyQuarter(received: number, size: number): string | undefined {
  const quarter = (bytes: number): number => Math.floor((bytes * 100) / size / PERCENT);
  return quarter(received) > quarter(received - BLOCK) ? `downloaded ${quarter(received) * PERCENT} %` : undefined;
}

const BLOCK = 4096;
