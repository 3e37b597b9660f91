-- The cTrader Open API (protobuf over TLS) for Wireshark and tshark: see docs/wireshark.md.
-- Four bytes of length, then a ProtoMessage: payloadType = 1, payload = 2, clientMsgId = 3. The payload is handed to
-- Wireshark's own protobuf dissector under the name of its message, which it looks up in our .proto files.

local names = {
  [50] = "ProtoErrorRes",
  [51] = "ProtoHeartbeatEvent",
  [2100] = "ProtoOAApplicationAuthReq",
  [2101] = "ProtoOAApplicationAuthRes",
  [2102] = "ProtoOAAccountAuthReq",
  [2103] = "ProtoOAAccountAuthRes",
  [2104] = "ProtoOAVersionReq",
  [2105] = "ProtoOAVersionRes",
  [2106] = "ProtoOANewOrderReq",
  [2107] = "ProtoOATrailingSLChangedEvent",
  [2108] = "ProtoOACancelOrderReq",
  [2109] = "ProtoOAAmendOrderReq",
  [2110] = "ProtoOAAmendPositionSLTPReq",
  [2111] = "ProtoOAClosePositionReq",
  [2112] = "ProtoOAAssetListReq",
  [2113] = "ProtoOAAssetListRes",
  [2114] = "ProtoOASymbolsListReq",
  [2115] = "ProtoOASymbolsListRes",
  [2116] = "ProtoOASymbolByIdReq",
  [2117] = "ProtoOASymbolByIdRes",
  [2118] = "ProtoOASymbolsForConversionReq",
  [2119] = "ProtoOASymbolsForConversionRes",
  [2120] = "ProtoOASymbolChangedEvent",
  [2121] = "ProtoOATraderReq",
  [2122] = "ProtoOATraderRes",
  [2123] = "ProtoOATraderUpdatedEvent",
  [2124] = "ProtoOAReconcileReq",
  [2125] = "ProtoOAReconcileRes",
  [2126] = "ProtoOAExecutionEvent",
  [2127] = "ProtoOASubscribeSpotsReq",
  [2128] = "ProtoOASubscribeSpotsRes",
  [2129] = "ProtoOAUnsubscribeSpotsReq",
  [2130] = "ProtoOAUnsubscribeSpotsRes",
  [2131] = "ProtoOASpotEvent",
  [2132] = "ProtoOAOrderErrorEvent",
  [2133] = "ProtoOADealListReq",
  [2134] = "ProtoOADealListRes",
  [2135] = "ProtoOASubscribeLiveTrendbarReq",
  [2136] = "ProtoOAUnsubscribeLiveTrendbarReq",
  [2137] = "ProtoOAGetTrendbarsReq",
  [2138] = "ProtoOAGetTrendbarsRes",
  [2139] = "ProtoOAExpectedMarginReq",
  [2140] = "ProtoOAExpectedMarginRes",
  [2141] = "ProtoOAMarginChangedEvent",
  [2142] = "ProtoOAErrorRes",
  [2143] = "ProtoOACashFlowHistoryListReq",
  [2144] = "ProtoOACashFlowHistoryListRes",
  [2145] = "ProtoOAGetTickDataReq",
  [2146] = "ProtoOAGetTickDataRes",
  [2147] = "ProtoOAAccountsTokenInvalidatedEvent",
  [2148] = "ProtoOAClientDisconnectEvent",
  [2149] = "ProtoOAGetAccountListByAccessTokenReq",
  [2150] = "ProtoOAGetAccountListByAccessTokenRes",
  [2151] = "ProtoOAGetCtidProfileByTokenReq",
  [2152] = "ProtoOAGetCtidProfileByTokenRes",
  [2153] = "ProtoOAAssetClassListReq",
  [2154] = "ProtoOAAssetClassListRes",
  [2155] = "ProtoOADepthEvent",
  [2156] = "ProtoOASubscribeDepthQuotesReq",
  [2157] = "ProtoOASubscribeDepthQuotesRes",
  [2158] = "ProtoOAUnsubscribeDepthQuotesReq",
  [2159] = "ProtoOAUnsubscribeDepthQuotesRes",
  [2160] = "ProtoOASymbolCategoryListReq",
  [2161] = "ProtoOASymbolCategoryListRes",
  [2162] = "ProtoOAAccountLogoutReq",
  [2163] = "ProtoOAAccountLogoutRes",
  [2164] = "ProtoOAAccountDisconnectEvent",
  [2165] = "ProtoOASubscribeLiveTrendbarRes",
  [2166] = "ProtoOAUnsubscribeLiveTrendbarRes",
  [2167] = "ProtoOAMarginCallListReq",
  [2168] = "ProtoOAMarginCallListRes",
  [2169] = "ProtoOAMarginCallUpdateReq",
  [2170] = "ProtoOAMarginCallUpdateRes",
  [2171] = "ProtoOAMarginCallUpdateEvent",
  [2172] = "ProtoOAMarginCallTriggerEvent",
  [2173] = "ProtoOARefreshTokenReq",
  [2174] = "ProtoOARefreshTokenRes",
  [2175] = "ProtoOAOrderListReq",
  [2176] = "ProtoOAOrderListRes",
  [2177] = "ProtoOAGetDynamicLeverageByIDReq",
  [2178] = "ProtoOAGetDynamicLeverageByIDRes",
  [2179] = "ProtoOADealListByPositionIdReq",
  [2180] = "ProtoOADealListByPositionIdRes",
  [2181] = "ProtoOAOrderDetailsReq",
  [2182] = "ProtoOAOrderDetailsRes",
  [2183] = "ProtoOAOrderListByPositionIdReq",
  [2184] = "ProtoOAOrderListByPositionIdRes",
  [2185] = "ProtoOADealOffsetListReq",
  [2186] = "ProtoOADealOffsetListRes",
  [2187] = "ProtoOAGetPositionUnrealizedPnLReq",
  [2188] = "ProtoOAGetPositionUnrealizedPnLRes",
}

local ctrader = Proto("ctrader", "cTrader Open API")
local f_type = ProtoField.uint32("ctrader.payload_type", "Payload type", base.DEC, names)
local f_name = ProtoField.string("ctrader.name", "Message")
local f_id = ProtoField.string("ctrader.client_msg_id", "Client message id")
ctrader.fields = { f_type, f_name, f_id }

local protobuf = Dissector.get("protobuf")

local function varint(buffer, at)
  local value, factor = 0, 1
  while at < buffer:len() do
    local byte = buffer(at, 1):uint()
    at = at + 1
    value = value + (byte % 128) * factor
    if byte < 128 then return value, at end
    factor = factor * 128
  end
  return nil, at
end

local function frame(buffer, pinfo, tree)
  local at, kind, payload, id = 4, nil, nil, nil
  while at < buffer:len() do
    local tag, value
    tag, at = varint(buffer, at)
    if tag == nil then break end
    value, at = varint(buffer, at)
    if value == nil then break end
    if tag == 8 then
      kind = value
    elseif tag % 8 == 2 and at + value <= buffer:len() then
      local part = value > 0 and buffer(at, value) or nil
      if tag == 18 then payload = part elseif tag == 26 then id = part end
      at = at + value
    elseif tag % 8 ~= 0 then
      break
    end
  end
  local name = names[kind] or ("Unknown(" .. tostring(kind) .. ")")
  local root = tree:add(ctrader, buffer(), "cTrader Open API: " .. name)
  if kind then root:add(f_type, buffer(4), kind) end
  root:add(f_name, buffer(4), name)
  if id then root:add(f_id, id) end
  pinfo.cols.protocol = "cTrader"
  pinfo.cols.info:append(" " .. name)
  if payload and names[kind] then
    pinfo.private["pb_msg_type"] = "message," .. name
    protobuf:call(payload:tvb(), pinfo, root)
  end
  return buffer:len()
end

function ctrader.dissector(buffer, pinfo, tree)
  pinfo.cols.info = ""
  dissect_tcp_pdus(buffer, tree, 4, function(b) return 4 + b(0, 4):uint() end, frame)
  return buffer:len()
end

DissectorTable.get("tls.port"):add(5035, ctrader)
