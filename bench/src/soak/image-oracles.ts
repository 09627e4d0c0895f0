import { runEspsecure } from '../../../interop/src/stranger/espsecure.ts';
import { runImgtool } from '../../../interop/src/stranger/imgtool.ts';
import { runNrfutil } from '../../../interop/src/stranger/nordic.ts';
import { runNxpimage } from '../../../interop/src/stranger/nxp.ts';
import { runCysecuretools } from '../../../interop/src/stranger/psoc64.ts';
import type { InteropReport } from '../../../interop/src/stranger/python-driver.ts';
import { runRauc } from '../../../interop/src/stranger/rauc.ts';
import { runSwupdate } from '../../../interop/src/stranger/swupdate.ts';
import type { Soak, SoakReport } from './soak.ts';

const TOOLS: readonly (readonly [string, (report: InteropReport, cases: number) => Promise<boolean>])[] = [
  ['imgtool', runImgtool],
  ['espsecure', runEspsecure],
  ['nrfutil', runNrfutil],
  ['nxpimage', runNxpimage],
  ['cysecuretools', runCysecuretools],
  ['rauc', runRauc],
  ['swupdate', runSwupdate],
];
const CASES = 200;

async function run(count: number | undefined, _seed: number, say: (line: string) => void): Promise<SoakReport> {
  const cases = count ?? CASES;
  const faults: string[] = [];
  let checks = 0;
  for (const [name, compare] of TOOLS) {
    const before = checks;
    const isHere = await compare((line) => {
      checks += 1;
      if (!line.ok) faults.push(`${name}: ${line.name}: ${line.detail ?? ''}`);
    }, cases);
    if (!isHere) faults.push(`${name} is not installed`);
    say(`${name}: ${checks - before} checks`);
  }
  return { facts: { tools: TOOLS.length, 'cases of each': cases, checks }, faults };
}

export const imageOracles: Soak = {
  name: 'image-oracles',
  words: "the vendors' image tools against us, drawn cases; HOLDFAST_PYTHON and HOLDFAST_PYTHON_GROUPS as in interop",
  run,
};
