import { formatRfc3339 } from '@holdfast/kernel';
import type { Explainer, Explanation, Policies } from '@holdfast/trust/communication';
import type { AccessExplanation, Policy } from '@holdfast/api';
import type { PolicyRecord } from '@holdfast/trust/ports';
import type { ManagementHandlers } from '../handler-types.ts';
import { pageOf } from './page.ts';

export interface CommunicationHandlerPorts {
  readonly policies: Policies;
  readonly explainer: Explainer;
}

type CommunicationOperation =
  | 'policies.put'
  | 'policies.list'
  | 'policies.show'
  | 'policies.remove'
  | 'policies.attach'
  | 'policies.detach'
  | 'devices.explain';

export function communicationHandlers({
  policies,
  explainer,
}: CommunicationHandlerPorts): Pick<ManagementHandlers, CommunicationOperation> {
  return {
    'policies.put': async ({ policy, body }, { principal }) =>
      viewPolicy(await policies.put(principal, policy, body.document)),
    'policies.list': async ({ query }, { principal }) => {
      const page = await policies.list(principal.tenant, query);
      return pageOf(page.rows.map(viewPolicy), page.next);
    },
    'policies.show': async ({ policy }, { principal }) => viewPolicy(await policies.show(principal.tenant, policy)),
    'policies.remove': async ({ policy }, { principal }) => {
      await policies.remove(principal, policy);
      return {};
    },
    'policies.attach': async ({ policy, body }, { principal }) => {
      await policies.attach(principal, policy, body);
      return {};
    },
    'policies.detach': async ({ policy, body }, { principal }) => {
      await policies.detach(principal, policy, body);
      return {};
    },
    'devices.explain': async ({ device, body }, { principal }) => {
      const who = { tenant: principal.tenant, deviceId: device, from: body.from };
      return { device, answers: (await explainer.explain(who, body.questions)).map(viewExplanation) };
    },
  };
}

function viewPolicy({ name, document, version, changedAt }: PolicyRecord): Policy {
  return { name, document, version, changedAt: formatRfc3339(changedAt) };
}

function viewExplanation({ question, decision, level }: Explanation): AccessExplanation {
  const { by } = decision;
  return {
    ...question,
    allowed: decision.kind === 'allow',
    rights: level,
    ...(decision.kind === 'deny' ? { deniedBy: decision.layer } : {}),
    ...(by === undefined ? {} : { statement: { ...by } }),
  };
}
