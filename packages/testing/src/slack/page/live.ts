/** What the page does in a browser: it shows new messages, and times as its reader writes them. */
export const live: string = `
const messages = document.querySelector("#messages");
const connection = document.querySelector("#connection");
const { channel, last } = document.body.dataset;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

localise(document);
offerCopies();
document.querySelector(".sidebar [aria-current]")?.scrollIntoView({ inline: "center" });
if (document.querySelector("#empty") === null) messages.scrollTop = messages.scrollHeight;

const events = new EventSource("live?after=" + encodeURIComponent(last));
events.addEventListener("ready", () => say("Live"));
events.addEventListener("error", () => say("Connecting…"));
events.addEventListener("restart", () => location.reload());
events.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  if (message.channel === channel) show(message.html);
  else count(message);
});

function say(state) {
  connection.textContent = state;
  connection.classList.toggle("on", state === "Live");
}

function show(html) {
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 120;
  document.querySelector("#empty")?.remove();
  messages.insertAdjacentHTML("beforeend", html);
  const added = messages.lastElementChild;
  added.classList.add("new");
  localise(added);
  if (atEnd) messages.scrollTop = messages.scrollHeight;
}

function count({ channel, workspace }) {
  const inSidebar = document.querySelector('.unread[data-channel="' + CSS.escape(channel) + '"]');
  const badge =
    inSidebar ?? document.querySelector('.unread[data-workspace="' + CSS.escape(workspace) + '"]');
  if (badge === null) return;
  badge.hidden = false;
  badge.textContent = String(Number(badge.textContent) + 1);
}

function localise(root) {
  for (const time of root.querySelectorAll("time")) {
    const instant = new Date(time.dateTime);
    const day = time.dataset.form === "long" ? dayOf(instant) + " at " : "";
    time.textContent = day + clock.format(instant);
  }
}

function dayOf(instant) {
  const date = calendar.format(instant);
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (date === calendar.format(new Date())) return "Today";
  return date === calendar.format(yesterday) ? "Yesterday" : date;
}

function offerCopies() {
  if (navigator.clipboard === undefined) return;
  for (const button of document.querySelectorAll(".command button")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.nextElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    });
  }
}
`;
