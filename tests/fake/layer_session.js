// A session of the Node.js layer: reads where to go as JSON from stdin, prints what it met. Only host and port differ
// from what a user of the layer writes; it trusts the test's authority by NODE_EXTRA_CA_CERTS.
const { CTraderConnection } = require("@reiryoku/ctrader-layer");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const account = { ctidTraderAccountId: given.account_id };
const met = { spots: 0, executions: [], errors: [], refused: 0 };

const waiting = [];
function execution(type) {
    return new Promise((resolve) => waiting.push({ type, resolve }));
}

async function session(connection) {
    connection.on("ProtoOASpotEvent", () => { met.spots += 1; });
    connection.on("ProtoOAExecutionEvent", (event) => {
        const told = event.descriptor;
        met.executions.push(told.executionType);
        const index = waiting.findIndex((each) => each.type === told.executionType);
        if (index >= 0) {
            waiting.splice(index, 1)[0].resolve(told);
        }
    });
    await connection.open();
    await connection.sendCommand("ProtoOAApplicationAuthReq", {
        clientId: given.client_id, clientSecret: given.client_secret,
    });
    const list = await connection.sendCommand("ProtoOAGetAccountListByAccessTokenReq", { accessToken: given.access_token });
    met.accounts = list.ctidTraderAccount.map((each) => Number(each.ctidTraderAccountId));
    await connection.sendCommand("ProtoOAAccountAuthReq", { ...account, accessToken: given.access_token });
    const symbols = await connection.sendCommand("ProtoOASymbolsListReq", account);
    met.symbols = symbols.symbol.map((each) => each.symbolName).sort();
    const eurusd = symbols.symbol.find((each) => each.symbolName === "EURUSD").symbolId;
    await connection.sendCommand("ProtoOASubscribeSpotsReq", { ...account, symbolId: [eurusd] });

    let fill = execution("ORDER_FILLED");
    await connection.sendCommand("ProtoOANewOrderReq", {
        ...account, symbolId: eurusd, orderType: "MARKET", tradeSide: "BUY", volume: 100000, label: "from the layer",
    });
    const opened = await fill;
    met.filled = [Number(opened.deal.filledVolume), opened.position.tradeData.label, opened.deal.executionPrice > 0];

    fill = execution("ORDER_FILLED");
    await connection.sendCommand("ProtoOAClosePositionReq", {
        ...account, positionId: opened.position.positionId, volume: 100000,
    });
    const closed = await fill;
    met.closed = Number(closed.deal.closePositionDetail.closedVolume);

    const deals = await connection.sendCommand("ProtoOADealListReq", {
        ...account, fromTimestamp: Number(opened.deal.createTimestamp) - 60000, toTimestamp: 2147483646000,
    });
    met.deals = deals.deal.length;
    const bars = await connection.sendCommand("ProtoOAGetTrendbarsReq", {
        ...account, symbolId: eurusd, period: "M1", fromTimestamp: Number(opened.deal.createTimestamp) - 3600000,
        toTimestamp: Number(opened.deal.createTimestamp),
    });
    met.bars = bars.trendbar.length;

    await Promise.all(Array.from({ length: 60 }, () =>
        connection.sendCommand("ProtoOAVersionReq", {}).catch((error) => {
            met.refused += 1;
            met.errors.push(error.errorCode);
        })));
}

const connection = new CTraderConnection({ host: given.host, port: given.port });
session(connection).catch((error) => { met.failure = String(error.stack || JSON.stringify(error)); }).then(() => {
    console.log(JSON.stringify(met));
    connection.close();
    process.exit(0);
});
