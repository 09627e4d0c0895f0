export { CHECKS, type DoctorPorts, examine, type Finding } from './checks.ts';
