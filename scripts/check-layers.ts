// Checks the import law; exits 1 with one line a violation.
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { LAYER_RULES, MODULE_FLOOR } from './layer-rules.ts';

const { output } = await cruise(['packages'], {
  ruleSet: { forbidden: [...LAYER_RULES] },
  validate: true,
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '(/dist/|/vectors/)' },
  tsPreCompilationDeps: true,
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['import', 'default'],
    extensions: ['.ts', '.tsx', '.js'],
  },
});
const { summary, modules } = output as ICruiseResult;
const read = modules.filter((module) => module.source.startsWith('packages/')).length;

for (const violation of summary.violations) {
  console.error(`${violation.rule.name}: ${violation.from} -> ${violation.to}`);
}
console.log(`${read} modules read, ${summary.violations.length} violations`);
if (read < MODULE_FLOOR) {
  console.error(`fewer than ${MODULE_FLOOR} modules were read: the check saw nothing, so it proves nothing`);
  process.exit(1);
}
process.exit(summary.violations.length === 0 ? 0 : 1);
