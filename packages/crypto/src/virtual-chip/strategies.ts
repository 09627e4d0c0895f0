import type { StrategyName } from './chips.ts';
import { EspOtaStrategy } from './esp-ota-strategy.ts';
import { LinuxAbStrategy } from './linux-ab-strategy.ts';
import { OverwriteStrategy } from './overwrite-strategy.ts';
import type { ChipMemory, Strategy } from './strategy.ts';
import { SwapStrategy } from './swap-strategy.ts';
import { XipStrategy } from './xip-strategy.ts';

/** Boot code by the way it boots. */
const STRATEGIES: Readonly<Record<StrategyName, (chip: ChipMemory) => Strategy>> = {
  'swap-scratch': (chip) => new SwapStrategy(chip),
  'swap-move': (chip) => new SwapStrategy(chip),
  'swap-offset': (chip) => new SwapStrategy(chip),
  'overwrite-only': (chip) => new OverwriteStrategy(chip),
  'direct-xip': (chip) => new XipStrategy(chip),
  'esp-ota': (chip) => new EspOtaStrategy(chip),
  'linux-ab': (chip) => new LinuxAbStrategy(chip),
};

export function createStrategy(chip: ChipMemory): Strategy {
  return STRATEGIES[chip.plan.board.strategy](chip);
}
