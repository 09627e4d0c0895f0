import type { PolicyAction } from './actions.ts';
import { type NamedPolicy } from './compiled-policy.ts';
import { parsePolicyDocument } from './policy-document.ts';
import { DEFAULT_ARN_SCOPE } from './resource.ts';

const THING = '${iot:Connection.Thing.ThingName}';
const OWN_HOLDFAST = `$holdfast/things/${THING}/*`;
const OWN_JOBS = `$aws/things/${THING}/jobs/*`;
const OWN_STREAMS = `$aws/things/${THING}/streams/*`;
const OWN_SHADOW = `$aws/things/${THING}/shadow/*`;
const OWN_TOPICS = `devices/${THING}/*`;
const OWN_HEALTH = ['evidence', 'time', 'health', 'ratchet', 'renewal'].flatMap((request) => [
  `$holdfast/things/${THING}/${request}`,
  `$holdfast/things/${THING}/${request}/*`,
]);
const CLAIM_TOPICS = [
  '$aws/certificates/create/*',
  '$aws/certificates/create-from-csr/*',
  '$aws/provisioning-templates/*/provision/*',
];

/** The same over HTTPS, where a request names the thing instead of a topic. */
const JOBS_ACTIONS = [
  'iotjobsdata:DescribeJobExecution',
  'iotjobsdata:GetPendingJobExecutions',
  'iotjobsdata:StartNextPendingJobExecution',
  'iotjobsdata:UpdateJobExecution',
] as const satisfies readonly PolicyAction[];
const SHADOW_ACTIONS = [
  'iot:GetThingShadow',
  'iot:UpdateThingShadow',
  'iot:DeleteThingShadow',
  'iot:ListNamedShadowsForThing',
] as const satisfies readonly PolicyAction[];

interface Grant {
  /** Actions on the device itself. */
  readonly thing?: readonly PolicyAction[];
  readonly connect?: string;
  readonly topics: readonly string[];
  readonly retain?: readonly string[];
}

/** A device's own corner, and nothing of anybody else's. */
export const DEVICE_POLICY = builtin('holdfast:device', {
  connect: THING,
  topics: [OWN_TOPICS, OWN_HOLDFAST, OWN_JOBS, OWN_STREAMS, OWN_SHADOW],
  retain: [OWN_TOPICS],
  thing: [...JOBS_ACTIONS, ...SHADOW_ACTIONS],
});

/** What no attached policy has to grant, so that a device can always prove itself; it does not allow connecting. */
export const PROOF_POLICY = builtin('holdfast:proof', { topics: [OWN_HOLDFAST] });

/** A bootstrap credential: any client id (stock clients use the future device's), provisioning and nothing else. */
export const CLAIM_POLICY = builtin('holdfast:claim', { connect: '*', topics: CLAIM_TOPICS });

/** What is left to a device that has to prove itself or to update: jobs, files, evidence, time and health. */
export const RESTRICTED_POLICY = builtin('holdfast:restricted', {
  connect: THING,
  topics: [...OWN_HEALTH, OWN_JOBS, OWN_STREAMS],
  thing: JOBS_ACTIONS,
});

/** Nothing at all: quarantined and revoked devices, and every doubt. */
export const EMPTY_POLICY: NamedPolicy = { name: 'holdfast:nothing', document: { statements: [] } };

/** In the place of a policy that cannot be read: it also overrules what else is granted. */
export const DENY_ALL_POLICY: NamedPolicy = {
  name: 'holdfast:unreadable',
  document: parsePolicyDocument(
    JSON.stringify({ Version: '2012-10-17', Statement: { Sid: 'all', Effect: 'Deny', Action: '*', Resource: '*' } }),
    DEFAULT_ARN_SCOPE,
  ),
};

/** Names with this prefix belong to the product; operators cannot create them. */
export const BUILTIN_PREFIX = 'holdfast:';

function builtin(name: string, grant: Grant): NamedPolicy {
  const arn = (type: string, rest: string) => `arn:*:iot:*:*:${type}/${rest}`;
  const allow = (sid: string, action: string | readonly string[], resource: readonly string[]) => ({
    Sid: sid,
    Effect: 'Allow',
    Action: action,
    Resource: resource,
  });
  const topics = grant.topics.map((topic) => arn('topic', topic));
  const filters = grant.topics.map((topic) => arn('topicfilter', topic));
  const statements = [
    allow('talk', ['iot:Publish', 'iot:Receive'], topics),
    allow('listen', 'iot:Subscribe', filters),
    ...(grant.connect === undefined ? [] : [allow('connect', 'iot:Connect', [arn('client', grant.connect)])]),
    ...(grant.thing === undefined ? [] : [allow('thing', grant.thing, [arn('thing', THING)])]),
    ...(grant.retain === undefined
      ? []
      : [
          allow(
            'retain',
            ['iot:RetainPublish', 'iot:GetRetainedMessage'],
            grant.retain.map((topic) => arn('topic', topic)),
          ),
        ]),
  ];
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return { name, document: parsePolicyDocument(text, DEFAULT_ARN_SCOPE) };
}
