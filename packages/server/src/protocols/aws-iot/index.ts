export { JobNotifier, type JobNotifierPorts, type TopicPublisher } from './job-notifier.ts';
export { type AskingPeer, AwsIotTopics, type AwsIotTopicsPorts, REQUEST_LIMITS } from './reserved-topics.ts';
