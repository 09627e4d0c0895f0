import { compileMatcher, parsePattern } from './pattern.ts';

/** Every action a policy can speak of; a name outside this list is refused, so that a misspelt Deny is not a no-op. */
export const POLICY_ACTIONS = [
  'iot:Connect',
  'iot:Publish',
  'iot:Receive',
  'iot:RetainPublish',
  'iot:Subscribe',
  'iot:GetRetainedMessage',
  'iot:ListRetainedMessages',
  'iot:GetThingShadow',
  'iot:UpdateThingShadow',
  'iot:DeleteThingShadow',
  'iot:ListNamedShadowsForThing',
  'iot:DescribeJobExecution',
  'iot:GetPendingJobExecutions',
  'iot:UpdateJobExecution',
  'iot:StartNextPendingJobExecution',
  'iot:AssumeRoleWithCertificate',
  'iotjobsdata:DescribeJobExecution',
  'iotjobsdata:GetPendingJobExecutions',
  'iotjobsdata:UpdateJobExecution',
  'iotjobsdata:StartNextPendingJobExecution',
] as const;

export type PolicyAction = (typeof POLICY_ACTIONS)[number];

/** The actions a policy's word stands for, `*` and `?` included; case does not matter (IAM user guide, Action). */
export function actionsNamed(word: string): readonly PolicyAction[] {
  if (word.includes('$')) return [];
  const matches = compileMatcher(parsePattern(word.toLowerCase(), 'Action'));
  return POLICY_ACTIONS.filter((action) => matches(action.toLowerCase()));
}
