import { describe, expect, it } from 'vitest';
import { type DemoReport, renderHeading, renderOutcome, renderSummary } from './render.ts';
import type { Outcome } from './trial.ts';

const TERMINAL = { outIsTerminal: true, colour: true };
const PLAIN_TERMINAL = { outIsTerminal: true, colour: false };
const PIPE = { outIsTerminal: false, colour: false };

const held: Outcome = {
  name: 'foreign-ca',
  title: 'a certificate of a foreign CA',
  expected: 'refused',
  seen: 'MQTT: no CONNACK; HTTPS: no answer',
  held: true,
  ms: 41,
};
const broken: Outcome = { ...held, seen: 'MQTT: CONNACK success', held: false };

function reportOf(story: readonly Outcome[], attacks: readonly Outcome[]): DemoReport {
  const outcomes = [...story, ...attacks];
  return {
    held: outcomes.every((outcome) => outcome.held),
    firmware: { older: '7.27.0', newer: '7.28.0' },
    story,
    attacks,
    totalMs: 5432,
  };
}

describe('an outcome', () => {
  it('is a tick, the title, the time and what was seen on a terminal', () => {
    const lines = renderOutcome(1, held, PLAIN_TERMINAL).split('\n');
    expect(lines).toEqual([
      `  ✓  1  ${'a certificate of a foreign CA'.padEnd(83)}    41 ms`,
      '       MQTT: no CONNACK; HTTPS: no answer',
      '',
    ]);
  });

  it('says what was expected below a cross', () => {
    const text = renderOutcome(12, broken, PLAIN_TERMINAL);
    expect(text).toContain('✗ 12  a certificate of a foreign CA');
    expect(text).toContain('MQTT: CONNACK success');
    expect(text).toContain('expected: refused');
  });

  it('is coloured on a terminal that wants colour, and nowhere else', () => {
    expect(renderOutcome(1, held, TERMINAL)).toContain('\u001b[32m✓\u001b[0m');
    expect(renderOutcome(1, broken, TERMINAL)).toContain('\u001b[31m✗\u001b[0m');
    for (const look of [PLAIN_TERMINAL, PIPE]) {
      expect(renderOutcome(1, held, look)).not.toContain('\u001b');
      expect(renderSummary(reportOf([held], [broken]), look)).not.toContain('\u001b');
      expect(renderHeading('The attacks', look)).not.toContain('\u001b');
    }
  });

  it('is one tab-separated line without a terminal', () => {
    expect(renderOutcome(3, held, PIPE)).toBe('ok\t3\tforeign-ca\t41 ms\tMQTT: no CONNACK; HTTPS: no answer\n');
    expect(renderOutcome(3, broken, PIPE)).toBe('FAILED\t3\tforeign-ca\t41 ms\tMQTT: CONNACK success\n');
  });

  it('keeps what belongs together on one line while it fits', () => {
    const seen = Array.from({ length: 8 }, (_, at) => `door ${at}: no answer at all`).join('; ');
    const lines = renderOutcome(1, { ...held, seen }, PLAIN_TERMINAL)
      .trimEnd()
      .split('\n')
      .slice(1);
    expect(lines.length).toBe(3);
    expect(lines.every((line) => /^ {7}door \d: .* at all$/.test(line))).toBe(true);
  });

  it('breaks long lines between words and loses none of them', () => {
    const seen = Array.from({ length: 60 }, (_, at) => `word${at}`).join(' ');
    const lines = renderOutcome(1, { ...held, seen }, PLAIN_TERMINAL)
      .trimEnd()
      .split('\n')
      .slice(1);
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.every((line) => line.length <= 120)).toBe(true);
    expect(lines.map((line) => line.trim()).join(' ')).toBe(seen);
  });

  it('shows control characters of what was seen as what they are not: harmless', () => {
    const text = renderOutcome(1, { ...held, seen: 'alert\u001b[2J\tx\ny' }, PIPE);
    expect(text).toBe('ok\t1\tforeign-ca\t41 ms\talert\u{fffd}[2J\u{fffd}x\u{fffd}y\n');
  });
});

describe('the summary', () => {
  it('counts what held and gives the whole time', () => {
    expect(renderSummary(reportOf([held], [held, held]), PLAIN_TERMINAL)).toContain(
      'Everything held. Story 1 of 1, attacks 2 of 2, 5.4 s in all.',
    );
    expect(renderSummary(reportOf([held], [held]), PIPE)).toBe('ok\ttotal\t5432 ms\tsteps 1/1\tattacks held 1/1\n');
  });

  it('does not say that everything held when one attack got through', () => {
    const report = reportOf([held], [held, broken]);
    expect(renderSummary(report, PLAIN_TERMINAL)).toContain('Not everything held. Story 1 of 1, attacks 1 of 2');
    expect(renderSummary(report, PIPE)).toBe('FAILED\ttotal\t5432 ms\tsteps 1/1\tattacks held 1/2\n');
  });
});
