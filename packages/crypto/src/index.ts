export * from './mcuboot/index.ts';
