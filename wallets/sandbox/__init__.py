"""The sandbox: a process of its own that plays the operator's wallet service and an operator's webhook
receiver over real HTTP. It shares no code and no table with the house; nobody imports it."""
