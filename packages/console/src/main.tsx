import { render } from 'preact';
import { ErrorBoundary, LocationProvider, Route, Router, useLocation } from 'preact-iso';
import { goLive, liveState } from './live.ts';
import { AuditPage } from './pages/audit.tsx';
import { DevicePage } from './pages/device.tsx';
import { FleetPage } from './pages/fleet.tsx';
import { RolloutPage, RolloutsPage } from './pages/rollouts.tsx';
import { openFromLink, signedOut } from './session.ts';
import './style.css';

const LIVE_WORDS = { connecting: 'connecting', live: 'live', lost: 'connection lost, trying again' } as const;

const SECTIONS: readonly (readonly [path: string, title: string])[] = [
  ['/', 'Fleet'],
  ['/rollouts', 'Rollouts'],
  ['/audit', 'Audit log'],
];

function isCurrent(section: string, path: string): boolean {
  return section === '/' ? path === '/' || path.startsWith('/devices/') : path.startsWith(section);
}

function Header() {
  const { path } = useLocation();
  return (
    <header>
      <a class="brand" href="/">
        <img src="/holdfast.svg" alt="" width="24" height="24" /> Holdfast
      </a>
      <nav aria-label="Sections">
        {SECTIONS.map(([section, title]) => (
          <a key={section} href={section} aria-current={isCurrent(section, path) ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <output class={`live ${liveState.value}`}>{LIVE_WORDS[liveState.value]}</output>
    </header>
  );
}

function SignedOut() {
  return (
    <main class="empty" id="main">
      <h1>This console opens by a one-time link</h1>
      <p>On the machine where the server runs:</p>
      <pre>
        <code>npm run holdfast -- console link</code>
      </pre>
      <p class="quiet">A link works once, for ten minutes. A session ends after an hour without use.</p>
    </main>
  );
}

function App() {
  if (signedOut.value) return <SignedOut />;
  return (
    <LocationProvider>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <main id="main">
        <ErrorBoundary>
          <Router>
            <Route path="/" component={FleetPage} />
            <Route path="/devices/:id" component={DevicePage} />
            <Route path="/rollouts" component={RolloutsPage} />
            <Route path="/rollouts/:id" component={RolloutPage} />
            <Route path="/audit" component={AuditPage} />
            <Route default component={() => <p>There is nothing at this address.</p>} />
          </Router>
        </ErrorBoundary>
      </main>
    </LocationProvider>
  );
}

const root = document.getElementById('app');
if (root !== null) {
  await openFromLink();
  if (!signedOut.value) goLive();
  render(<App />, root);
}
