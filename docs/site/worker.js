// Search works in a page that was opened as a file too: there browsers start no worker, so that its script runs in a
// hidden frame of the page, which inherits the page's rights.
(() => {
  if (location.protocol !== "file:") return;

  class FramedWorker extends EventTarget {
    constructor(address) {
      super();
      this.onmessage = null;
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inner = frame.contentWindow;
      // what the script says goes to the page, and not to itself
      inner.postMessage = (data) => this.heard(data);
      inner.importScripts = (...names) =>
        names.reduce((before, name) => before.then(() => this.load(new URL(name, address))), Promise.resolve());
      this.inner = inner;
      this.load(address).then(() => {
        const { waiting } = this;
        this.waiting = null;
        waiting.forEach((data) => this.say(data));
      });
      this.terminate = () => frame.remove();
    }

    load(address) {
      return new Promise((done, failed) => {
        const script = this.inner.document.createElement("script");
        script.src = address;
        script.onload = done;
        script.onerror = () => failed(new Error(`${address} cannot be loaded`));
        this.inner.document.body.append(script);
      });
    }

    say(data) {
      this.inner.dispatchEvent(new MessageEvent("message", { data }));
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.say(data);
    }

    heard(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      if (this.onmessage) this.onmessage(event);
    }
  }

  window.Worker = FramedWorker;
})();
