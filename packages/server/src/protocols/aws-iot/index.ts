export { dataRoutes } from './data-routes.ts';
export { JobNotifier } from './job-notifier.ts';
export { AwsIotTopics } from './reserved-topics.ts';
export { ShadowNotices } from './shadow-notices.ts';
export { stateWithDelta } from './shadow-words.ts';
export { publishRegistered } from './registration-events.ts';
export type { TopicPublisher } from './topic-publisher.ts';
export { LifecycleEvents } from './lifecycle-events.ts';
