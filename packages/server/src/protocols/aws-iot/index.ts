export { JobNotifier } from './job-notifier.ts';
export { AwsIotTopics } from './reserved-topics.ts';
