/** How the page looks: light or dark, as its reader has it. */
export const style = `
:root {
  --page: #ffffff;
  --ink: #1d1c1d;
  --soft: #616061;
  --line: #e4e2e5;
  --hover: #f7f6f8;
  --code-page: #f4f2f5;
  --code-ink: #b3265a;
  --link: #1264a3;
  --side: #3b1d4a;
  --side-deep: #2c1338;
  --side-ink: #e9dff0;
  --side-soft: #bfa9cb;
  --side-here: #1164a3;
  --badge: #cd2553;
  --on: #1a7f5a;
  --new: #fdf6e0;
  font:
    15px / 1.47 "Lato",
    "Segoe UI",
    system-ui,
    -apple-system,
    "Helvetica Neue",
    sans-serif;
}

@media (prefers-color-scheme: dark) {
  :root {
    --page: #1a1d21;
    --ink: #e3e2e4;
    --soft: #a3a1a5;
    --line: #34373c;
    --hover: #202328;
    --code-page: #26292e;
    --code-ink: #f08bb0;
    --link: #5cb3ec;
    --side: #24122d;
    --side-deep: #190b20;
    --on: #4cc79a;
    --new: #2f2b1c;
  }
}

* {
  box-sizing: border-box;
}

body {
  display: grid;
  grid-template: 100dvh / 68px 236px minmax(0, 1fr);
  margin: 0;
  background: var(--page);
  color: var(--ink);
  overflow-wrap: anywhere;
}

h1,
h2,
h3,
h4,
p,
ul {
  margin: 0;
  padding: 0;
}

ul {
  list-style: none;
}

a {
  color: var(--link);
}

code {
  padding: 1px 4px;
  border: 1px solid var(--line);
  border-radius: 4px;
  background: var(--code-page);
  color: var(--code-ink);
  font:
    0.86em "SFMono-Regular",
    Consolas,
    "Liberation Mono",
    monospace;
  white-space: pre-wrap;
}

pre {
  margin: 0;
  padding: 12px 14px;
  border: 1px solid var(--line);
  border-radius: 8px;
  background: var(--code-page);
  font:
    12.5px / 1.5 "SFMono-Regular",
    Consolas,
    "Liberation Mono",
    monospace;
  white-space: pre-wrap;
}

:focus-visible {
  outline: 2px solid var(--link);
  outline-offset: -2px;
}

.hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

.rail,
.sidebar {
  color: var(--side-ink);
}

.rail a,
.sidebar a {
  color: inherit;
  text-decoration: none;
}

.rail {
  display: flex;
  flex-direction: column;
  align-items: center;
  gap: 14px;
  padding: 16px 0;
  background: var(--side-deep);
}

.tile {
  position: relative;
  display: grid;
  place-items: center;
  width: 38px;
  height: 38px;
  border-radius: 10px;
  background: #ffffff26;
  font-weight: 800;
  font-size: 17px;
}

.tile[aria-current] {
  background: #ffffff;
  color: var(--side-deep);
  box-shadow:
    0 0 0 3px var(--side-deep),
    0 0 0 5px #ffffffb0;
}

.unread {
  min-width: 20px;
  padding: 0 6px;
  border-radius: 10px;
  background: var(--badge);
  color: #ffffff;
  font-size: 12px;
  font-weight: 700;
  line-height: 20px;
  text-align: center;
}

.tile .unread {
  position: absolute;
  right: -8px;
  top: -8px;
}

.sidebar {
  display: flex;
  flex-direction: column;
  background: var(--side);
  overflow-y: auto;
}

.sidebar h1 {
  padding: 15px 18px;
  border-bottom: 1px solid #ffffff1f;
  font-size: 18px;
  font-weight: 800;
  line-height: 24px;
}

.sidebar h2 {
  padding: 18px 18px 6px;
  color: var(--side-soft);
  font-size: 13px;
  font-weight: 600;
}

.sidebar li a {
  display: flex;
  justify-content: space-between;
  margin: 0 8px;
  padding: 3px 10px;
  border-radius: 6px;
}

.sidebar li a:hover {
  background: #ffffff1a;
}

.sidebar li a:has(.unread:not([hidden])) .name {
  color: #ffffff;
  font-weight: 800;
}

.sidebar li a[aria-current] {
  background: var(--side-here);
  color: #ffffff;
}

.sign {
  display: inline-block;
  width: 1em;
  margin-right: 0.35em;
  opacity: 0.75;
  text-align: center;
}

svg.sign {
  height: 1em;
  vertical-align: -0.12em;
}

.emoji {
  width: 1.15em;
  height: 1.15em;
  margin-right: 0.1em;
  vertical-align: -0.22em;
}

.note {
  margin-top: auto;
  padding: 18px;
  color: var(--side-soft);
  font-size: 12.5px;
}

main {
  display: grid;
  grid-template-rows: auto minmax(0, 1fr) auto;
  min-width: 0;
}

.top {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 16px;
  padding: 15px 20px;
  border-bottom: 1px solid var(--line);
}

.top h2 {
  font-size: 18px;
  font-weight: 800;
  line-height: 24px;
}

#connection {
  display: flex;
  align-items: center;
  gap: 7px;
  color: var(--soft);
  font-size: 13px;
  white-space: nowrap;
}

#connection::before {
  width: 8px;
  height: 8px;
  border-radius: 50%;
  background: var(--soft);
  content: "";
}

#connection.on {
  color: var(--on);
}

#connection.on::before {
  background: currentColor;
}

#messages,
.sidebar {
  scrollbar-color: #8885 transparent;
  scrollbar-width: thin;
}

#messages {
  display: flex;
  flex-direction: column;
  padding: 12px 0;
  overflow-y: auto;
}

#messages > :first-child {
  margin-top: auto;
}

.message {
  position: relative;
  display: grid;
  grid-template-columns: 38px minmax(0, 1fr);
  gap: 10px;
  padding: 10px 20px;
}

.message:hover {
  background: var(--hover);
}

.continued {
  padding-top: 8px;
}

.new {
  animation: arrive 2.4s ease-out;
}

@keyframes arrive {
  from {
    background: var(--new);
  }
}

@media (prefers-reduced-motion: reduce) {
  .new {
    animation: none;
  }
}

.avatar {
  display: grid;
  place-items: center;
  width: 38px;
  height: 38px;
  border-radius: 9px;
  color: #ffffff;
  font-size: 14px;
  font-weight: 700;
}

.hue0 {
  background: #4a67c9;
}

.hue1 {
  background: #b4456f;
}

.hue2 {
  background: #2b7f76;
}

.hue3 {
  background: #a65a1f;
}

.hue4 {
  background: #7a4fb5;
}

.hue5 {
  background: #377f3c;
}

.hue6 {
  background: #b23c3c;
}

.hue7 {
  background: #28739e;
}

.message header {
  line-height: 1.3;
}

.sender {
  font-weight: 800;
}

.app {
  padding: 1px 4px;
  border-radius: 3px;
  background: var(--line);
  color: var(--soft);
  font-size: 10.5px;
  font-weight: 700;
  text-transform: uppercase;
  vertical-align: 1px;
}

.message time,
.context {
  color: var(--soft);
}

.message header time {
  font-size: 12px;
}

.continued .avatar,
.continued .sender,
.continued .app {
  display: none;
}

.continued .content {
  grid-column: 2;
}

.continued header {
  position: absolute;
  left: 6px;
  width: 58px;
  text-align: center;
  opacity: 0;
}

.continued:hover header {
  opacity: 1;
}

.continued header time {
  font-size: 11px;
}

.fields {
  display: grid;
  grid-template-columns: repeat(2, minmax(0, 1fr));
  gap: 6px 16px;
  max-width: 560px;
  margin: 6px 0;
}

.context {
  margin-top: 2px;
  font-size: 12.5px;
}

.context code {
  white-space: nowrap;
}
.mention {
  padding: 0 3px;
  border-radius: 3px;
  background: #f2c74433;
  color: var(--link);
}

#empty {
  align-self: center;
  width: min(640px, 100% - 40px);
  margin: auto;
  padding: 20px 0;
}

#empty h3 {
  font-size: 22px;
  font-weight: 800;
}

#empty > p {
  margin-top: 4px;
  color: var(--soft);
}

#empty h4 {
  font-size: 14px;
}

.beginning {
  padding: 16px 20px 8px;
  color: var(--soft);
}

#messages:has(#empty) .beginning {
  display: none;
}
.command {
  display: grid;
  grid-template-columns: 1fr auto;
  align-items: end;
  gap: 6px;
  margin-top: 20px;
}

.command pre {
  grid-column: 1 / -1;
}

.command button {
  padding: 3px 10px;
  border: 1px solid var(--line);
  border-radius: 6px;
  background: var(--page);
  color: var(--ink);
  font: inherit;
  font-size: 12.5px;
  cursor: pointer;
}

.command button:hover {
  border-color: var(--soft);
}

.composer {
  margin: 4px 20px 18px;
  padding: 11px 14px;
  border: 1px solid var(--line);
  border-radius: 9px;
  color: var(--soft);
  font-size: 14px;
}

@media (max-width: 720px) {
  body {
    grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr);
    height: 100dvh;
  }

  .rail {
    flex-direction: row;
    padding: 10px 16px;
  }

  .tile {
    width: 32px;
    height: 32px;
    font-size: 15px;
  }

  .sidebar {
    overflow: visible;
  }

  .sidebar h1,
  .sidebar h2,
  .note {
    display: none;
  }

  .sidebar ul {
    display: flex;
    padding: 8px;
    overflow-x: auto;
    scrollbar-width: none;
  }

  .sidebar li a {
    gap: 6px;
    margin: 0 2px;
    white-space: nowrap;
  }

  .top {
    padding: 10px 16px;
  }

  .message {
    padding-inline: 16px;
  }

  .composer {
    margin: 4px 12px 12px;
  }
}
`;
