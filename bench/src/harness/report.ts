import type { BenchReport, Target } from './bench.ts';
import type { Machine } from './machine.ts';

export function machineLines(machine: Machine): string {
  const { date, cores, cpu, memoryGiB, load, node, nodeOpenssl, systemOpenssl } = machine;
  return [
    `${date}  ${cores} cores (${cpu}), ${memoryGiB} GiB, load ${load.join(' ')}`,
    `Node ${node} with OpenSSL ${nodeOpenssl}; system OpenSSL ${systemOpenssl ?? 'not installed'}`,
  ].join('\n');
}

export function reportLines(name: string, words: string, report: BenchReport): string {
  const width = Math.max(...report.figures.map(({ subject, metric }) => subject.length + metric.length + 2), 20);
  const figures = report.figures.map(({ subject, metric, spread }) => {
    const label = `${subject}  ${metric}`.padEnd(width);
    return `  ${label}  ${format(spread.median).padStart(10)}   ${format(spread.min)} … ${format(spread.max)}`;
  });
  return [
    '',
    `${name}: ${words}`,
    ...figures,
    ...report.targets.map((target) => `  ${target.holds ? 'reached' : 'MISSED '}  ${targetWords(target)}`),
    ...report.notes.map((note) => `  ${note}`),
  ].join('\n');
}

function targetWords({ words, value, relation, bound }: Target): string {
  return `${words}: ${format(value)} (${relation === '<=' ? 'at most' : 'at least'} ${bound})`;
}

function format(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
