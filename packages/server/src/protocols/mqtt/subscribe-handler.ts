import {
  decodeSubscribe,
  decodeUnsubscribe,
  encodeSuback,
  type Qos,
  REASON,
  type SubscriptionRequest,
} from '@holdfast/wire/mqtt';
import type { Client } from './client.ts';
import { fitsTopicLimits } from './profiles.ts';
import { deliverRetained } from './router.ts';
import type { Subscription } from './session.ts';

/** The only refusal MQTT 3.1.1 knows. */
const FAILURE_3_1_1 = 0x80;

interface Granted {
  readonly subscription: Subscription;
  readonly wantsRetained: boolean;
}

/** SUBSCRIBE: asks the policy filter by filter, answers when what must last is stored, then sends retained messages. */
export function handleSubscribe(client: Client, body: Uint8Array): void {
  const { services, version } = client;
  const { packetId, subscriptions, properties } = decodeSubscribe(body, version);
  const subscriptionId = properties.subscriptionIdentifiers?.[0];
  if (subscriptionId !== undefined && !services.profile.subscriptionIdentifiers) {
    client.control.fail(REASON.subscriptionIdentifiersNotSupported, 'protocol-error');
    return;
  }
  const before = services.journal.position;
  const granted: Granted[] = [];
  const reasons = subscriptions.map((request, index) => {
    const refusal = refusalOf(client, request, index);
    if (refusal !== undefined) return version === 4 ? FAILURE_3_1_1 : refusal;
    const grant = subscribe(client, request, subscriptionId);
    granted.push(grant);
    return grant.subscription.qos;
  });
  answer(client, before, () => {
    client.outbox.add(encodeSuback({ kind: 'suback', packetId, reasons }, version));
    sendRetained(client, granted);
  });
  if (granted.length > 0) {
    services.observer.subscribed?.(
      client.info,
      granted.map(({ subscription }) => subscription.text),
    );
  }
}

export function handleUnsubscribe(client: Client, body: Uint8Array): void {
  const { services, version, session } = client;
  const { packetId, filters } = decodeUnsubscribe(body, version);
  const before = services.journal.position;
  const space = services.router.space(session.realm);
  const reasons = filters.map((text) => {
    const subscription = session.subscriptions.get(text);
    if (subscription === undefined) return REASON.noSubscriptionExisted;
    space.unsubscribe(subscription);
    services.interest?.remove(subscription);
    session.subscriptions.delete(text);
    if (session.persistent) services.journal.add({ kind: 'subscription-removed', key: session.key, text });
    return REASON.success;
  });
  answer(client, before, () => client.outbox.add(encodeSuback({ kind: 'unsuback', packetId, reasons }, version)));
  services.observer.unsubscribed?.(client.info, filters);
}

/** Answers now, or once the changes since `before` are durable. */
function answer(client: Client, before: number, say: () => void): void {
  const { journal } = client.services;
  if (journal.position === before) {
    say();
    return;
  }
  journal.whenDurable((durable) => {
    if (!client.control.active) return;
    if (durable) say();
    else client.control.fail(REASON.serverBusy, 'server-error');
  });
}

/** The reason a filter is refused with, or undefined. */
function refusalOf(client: Client, request: SubscriptionRequest, index: number): number | undefined {
  const { services, session, principal } = client;
  const { profile, metrics } = services;
  if (!fitsTopicLimits(profile, request.filter)) return REASON.topicFilterInvalid;
  if (!principal.maySubscribe(request.filter, request.share)) {
    metrics.subscriptionsDenied++;
    principal.onViolation('subscribe', request.text);
    return profile.subscribeDenied;
  }
  const fresh = !session.subscriptions.has(request.text);
  const full = fresh && session.subscriptions.size >= profile.maxSubscriptions;
  return full || index >= profile.maxFiltersPerSubscribe ? REASON.quotaExceeded : undefined;
}

function subscribe(client: Client, request: SubscriptionRequest, subscriptionId: number | undefined): Granted {
  const { services, session } = client;
  const space = services.router.space(session.realm);
  const previous = session.subscriptions.get(request.text);
  if (previous !== undefined)
    space.unsubscribe(previous); // Replaced [MQTT-3.8.4-3].
  else services.interest?.add({ ...request, subscriptionId, session });
  const { text, filter, share, noLocal, retainAsPublished, retainHandling } = request;
  const qos = Math.min(request.qos, services.profile.maximumQos) as Qos;
  const stored = { text, qos, noLocal, retainAsPublished, retainHandling, subscriptionId };
  const subscription: Subscription = { ...stored, session, filter, share };
  session.subscriptions.set(text, subscription);
  space.subscribe(subscription);
  if (session.persistent) {
    services.journal.add({ kind: 'subscription-saved', key: session.key, subscription: stored });
  }
  const wantsRetained = retainHandling === 0 || (retainHandling === 1 && previous === undefined);
  return { subscription, wantsRetained };
}

function sendRetained(client: Client, granted: readonly Granted[]): void {
  const { services, session } = client;
  for (const { subscription, wantsRetained } of granted) {
    if (!wantsRetained) continue;
    for (const message of services.router.retainedFor(subscription, services.profile)) {
      deliverRetained(session, subscription, message);
    }
  }
}
