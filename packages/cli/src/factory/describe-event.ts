import type { AgentEvent, BootEvent } from '@holdfast/device';

type Words = {
  readonly [Kind in AgentEvent['kind']]: (event: Extract<AgentEvent, { kind: Kind }>) => string | undefined;
};

const PERCENT = 25;

/** What a device does, for a person to read; undefined for steps that say nothing new. */
const WORDS: Words = {
  'boot-step': ({ step }) => `bootloader: ${bootStepWords(step)}`,
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

type BootWords = {
  readonly [Kind in BootEvent['kind']]: (step: Extract<BootEvent, { kind: Kind }>) => string;
};

const BOOT_WORDS: BootWords = {
  swap: ({ resumed, type }) => `${resumed ? 'resumes' : 'begins'} a ${type} swap`,
  overwrite: ({ version }) => `${version} copied over the old image`,
  trial: ({ slot }) => `${slot} image runs on trial`,
  'given-up': ({ slot }) => `${slot} image given up`,
  'image-refused': ({ slot, code }) => `${slot} image refused (${code})`,
  'counter-raised': ({ from, to }) => `security counter raised from ${from} to ${to}`,
};

function bootStepWords(step: BootEvent): string {
  const words: (step: never) => string = BOOT_WORDS[step.kind];
  return words(step as never);
}
