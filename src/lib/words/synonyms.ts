// Words of the field that mean the same, in the languages of which search knows stems, and in Chinese, Japanese and Korean. The first word names
// the group. A card is indexed under the groups of its words, so a change of this list needs a new CARD_INDEX_VERSION.
// Add a word only if it hardly ever means something else: a wrong synonym costs more than a missing one.
import { stemsOf } from './languages.js'
import { folded, type Word, wordsOf } from './words.js'

const GROUPS = `
translate translation translator localise localize localization interpreter übersetzen übersetzung übersetzer traduire traduction traducteur traducir traducción traductor traduzir tradução tradutor tradurre traduzione traduttore vertalen vertaling översätta översättning перевод перевести переводить переводчик 翻訳 翻译 翻譯 번역
invoice receipt bill billing rechnung rechnungen quittung facture facturation factura recibo fatura fattura factuur faktura счет счёт накладная 請求 领收 領収 发票 發票 송장 영수증
ocr scan scanned scanning digitize digitise scannen numériser escanear digitalizar skanna сканировать распознавание
document pdf dokument datei fichier documento archivo arquivo документ файл 文書 書類 文件 文档 문서
weather forecast rain sunny storm umbrella temperature meteo météo meteorology wetter wettervorhersage vorhersage tiempo clima pronóstico previsão weer weersverwachting väder погода прогноз 天気 天气 날씨
currency forex fx exchange euro euros dollar dollars usd eur währung wechselkurs devise divisa moneda moeda câmbio valuta валюта 通貨 為替 汇率 货币 환율
convert conversion converter transform umwandeln umrechnen konvertieren convertir convertisseur conversión converti omzetten konvertera конвертировать 変換 转换 변환
flight plane airline airfare flug flüge vol avion vuelo avión voo volo vlucht flyg рейс самолет авиабилет 航空 飛行 航班 机票 항공
hotel accommodation lodging unterkunft hébergement alojamiento hospedagem alloggio отель гостиница ホテル 酒店 宾馆 호텔
car vehicle automobile auto fahrzeug mietwagen voiture coche carro macchina bil автомобиль машина 汽车 자동차
book booking reserve reservation buchen buchung reservieren réserver réservation reservar reserva prenotare prenotazione boeken boka забронировать бронирование бронь 予約 预订 预定 예약
travel trip journey vacation holiday itinerary reise urlaub voyage viaje viajar viagem viaggio vakantie resa путешествие поездка 旅行 여행
rent rental hire lease mieten miete louer location alquilar alquiler alugar aluguel noleggio huren hyra аренда 租赁 租车
summarize summarise summary digest condense tldr zusammenfassen zusammenfassung résumer résumé resumir resumen resumo riassumere riassunto samenvatten samenvatting sammanfatta резюме 要約 摘要 总结 요약
image picture photo photograph illustration bild foto fotografie imagen immagine imagem afbeelding изображение фото картинка 画像 写真 图片 图像 照片 이미지 사진
video film movie clip vidéo видео 動画 视频 비디오 동영상
audio sound voice speech sprache stimme voix parole voz voce spraak аудио голос речь 音声 语音 음성
transcribe transcription dictation transkribieren transkription transcrire transcribir transcripción transcrever trascrivere расшифровка 文字起 转录
music song musik lied musique chanson música canción musica muziek музыка песня 音楽 音乐 음악
code coding programming programmer developer programmieren entwickler programmierung programmation programación programar programação programmazione programmeren код программирование разработчик コード 代码 编程 코드 프로그래밍
bug defect debug debugging fehler erreur fout ошибка 错误 バグ
test testing qa tester prueba probar prova testen тест тестирование テスト 测试 테스트
review critique überprüfen überprüfung revoir revisión revisar revisão beoordelen обзор рецензия レビュー 审查 评审
email mail inbox e-mail courriel correo почта письмо メール 邮件 郵件 이메일
calendar schedule scheduling appointment meeting kalender termin besprechung calendrier rendez-vous réunion calendario agenda cita reunión reunião riunione vergadering möte календарь встреча расписание 会議 日程 会议 일정 회의
plan planning planner planen planung planificar planifier pianificare plannen planera план планирование 計画 计划 계획
payment pay checkout transaction zahlung bezahlen zahlen paiement payer pago pagar pagamento betaling betalen betala оплата платеж платёж 支払 支付 付款 결제
bank banking konto banque banco banca 銀行 银行 은행
tax taxes vat steuer steuern mehrwertsteuer impôt taxe tva impuesto iva imposto tassa belasting skatt налог ндс 税金 税务 税收 세금
accounting bookkeeping accountant ledger buchhaltung comptabilité contabilidad contabilidade contabilità boekhouding bokföring бухгалтерия 会計 会计 회계
insurance insure claim versicherung assurance seguro assicurazione verzekering försäkring страхование 保険 保险 보험
stock stocks equity trading trader trade aktien aktie börse bourse bolsa acciones ações azioni aandelen aktier акции биржа 株式 股票 주식
crypto cryptocurrency bitcoin ethereum token blockchain web3 kryptowährung cryptomonnaie criptomoneda криптовалюта 暗号通貨 加密 암호화폐
search find lookup discover suchen suche recherche chercher buscar búsqueda pesquisar cercare ricerca zoeken sök поиск искать 検索 搜索 검색
research investigate investigation forschung recherchieren investigar investigación pesquisa onderzoek forskning исследование 調査 研究 연구
scrape scraping crawl crawler crawling browse browser browsing spider 爬虫
website webpage web site webseite página pagina сайт 网站 网页 웹사이트
legal law lawyer attorney contract contracts agreement recht vertrag anwalt juridique contrat avocat contrato abogado advogado contratto avvocato advocaat договор контракт юрист 契約 法律 合同 律师 계약 법률
compliance regulatory regulation regulations gdpr konformität conformité cumplimiento conformidade комплаенс 合规
privacy anonymize anonymise anonymization redact redaction deidentification pseudonymize datenschutz anonymisieren confidentialité privacidad anonimizar конфиденциальность 隐私 匿名
security vulnerability vulnerabilities secure sicherheit sécurité seguridad segurança sicurezza beveiliging säkerhet безопасность уязвимость 安全 보안
identity passport id-card ausweis reisepass identité passeport identidad pasaporte passaporte passaporto паспорт 身分 护照 여권
health medical doctor medicine healthcare clinical gesundheit arzt medizin santé médecin salud médico saúde salute gezondheid hälsa здоровье врач 健康 医療 医疗 医生 건강 의료
food recipe cook cooking meal dish rezept kochen essen recette cuisine receta cocina comida receita ricetta cucina recept eten рецепт еда 料理 レシピ 食谱 菜谱 요리
nutrition diet calorie calories ernährung nutrición nutrição dieta voeding питание диета 栄養 营养 영양
restaurant dining dinner lunch restaurante ristorante ресторан レストラン 餐厅 식당
map maps route routing navigation directions karte wegbeschreibung itinéraire mapa ruta rota mappa percorso маршрут карта 地図 地图 路线 지도
location place geocode geocoding geolocation ort adresse lieu lugar ubicación luogo plaats место адрес 場所 位置
news headline headlines nachrichten actualités noticias notícias notizie nieuws nyheter новости ニュース 新闻 뉴스
shop shopping purchase buy ecommerce retail einkaufen kaufen acheter achat comprar compra comprare acquisto kopen köpa купить покупка магазин 購入 购买 购物 쇼핑
price pricing cost quote preis kosten prix coût precio costo preço prezzo prijs pris цена стоимость 価格 价格 가격
order orders bestellung bestellen commande pedido ordine заказ 注文 订单 주문
delivery deliver shipping shipment logistics courier parcel package paket sendung colis paquete encomenda pacco pakket посылка 荷物 包裹 快递 택배 lieferung versand livraison envío entrega spedizione consegna levering bezorging leverans доставка 配送 物流 배송
customs tariff import export zoll zolltarif douane aduana alfândega dogana tull таможня 関税 通関 海关 관세
customer customers client clients support helpdesk kunde kundendienst soporte atendimento assistenza klant kundtjänst клиент поддержка 顧客 客服 客户 고객
ticket issue incident störung billet 工单
sales sell crm verkauf vertrieb ventes ventas vendas vendite verkoop försäljning продажи 営業 销售 판매
marketing advertising advertise advertisement campaign werbung publicité publicidad publicidade pubblicità reclame реклама маркетинг 広告 广告 营销 마케팅 광고
seo ranking serp
social twitter instagram facebook linkedin
write writing writer copywriting draft compose schreiben verfassen écrire rédiger rédaction escribir redactar escrever scrivere schrijven skriva писать написать 執筆 写作 작성
grammar proofread proofreading spelling spellcheck rechtschreibung grammatik orthographe grammaire gramática corrección grammatica grammatika грамматика 校正 语法 문법
data dataset datasets daten données datos dados dati gegevens данные データ 数据 데이터
analyze analyse analysis analytics analytical insight insights analysieren auswerten analyser analizar análisis analisar análise analizzare analisi analyseren analys анализ анализировать 分析 분석
chart graph plot visualization visualisation visualize dashboard diagram diagramm schaubild graphique gráfico grafico grafiek график диаграмма 可視化 图表 图形 차트
statistics statistical statistik statistiques estadísticas estatística statistica статистика 統計 统计 통계
database sql query datenbank datenbanken base-de-données 数据库 데이터베이스
spreadsheet excel csv tabelle tabellenkalkulation tableur hoja-de-cálculo planilha таблица 表格 스프레드시트
report reporting bericht rapport informe reporte relatório rapporto отчет отчёт レポート 報告 报告 보고서
education teach teacher tutor tutoring learn learning lesson course student unterricht lernen lehrer schule enseigner apprendre cours école enseñar aprender clase ensinar aula insegnare lezione leren onderwijs undervisning обучение учитель урок 教育 学習 教学 学习 교육 학습
dictionary definition definitions meaning vocabulary glossary wörterbuch bedeutung dictionnaire définition diccionario dicionário dizionario woordenboek ordbok словарь 辞書 词典 사전
math mathematics calculate calculator calculation arithmetic mathematik rechnen berechnen calculer calcul calcular cálculo calcolare berekenen räkna математика вычислить 計算 计算 数学 계산 수학
job jobs career hiring recruit recruiting recruitment resume cv candidate applicant stelle bewerbung lebenslauf emploi recrutement candidature empleo contratación trabajo emprego lavoro vacature jobb вакансия работа резюме 求人 採用 招聘 简历 채용
salary payroll wages gehalt lohn salaire salario nómina salário stipendio loon lön зарплата 給与 工资 급여
monitor monitoring watch track tracking tracker observe überwachen überwachung surveiller surveillance monitorear vigilar supervisar monitorar monitorare bewaken övervaka мониторинг 監視 监控 모니터링
alert alerts notify notification notifications reminder remind warnung benachrichtigung erinnerung alerte rappel alerta recordatorio lembrete avviso promemoria waarschuwing уведомление напоминание 通知 提醒 알림
joke jokes humor humour funny witz witze blague chiste piada barzelletta grap skämt шутка анекдот 冗談 笑话 농담
game games play gaming spiel spielen jeu jouer juego jugar jogo gioco spel игра ゲーム 游戏 게임
chess schach échecs ajedrez xadrez scacchi schaken schack шахматы チェス 国际象棋 체스
house housing home apartment real-estate realtor immobilien wohnung haus immobilier logement appartement casa vivienda inmobiliaria imóvel immobile woning huis bostad недвижимость квартира 不動産 房地产 房屋 부동산
energy electricity power solar strom energie électricité energía electricidad energia stroom энергия электричество 電力 能源 에너지
farm farming agriculture agricultural crop landwirtschaft ferme agricultura landbouw jordbruk 農業 农业 농업
fraud scam phishing betrug fraude estafa frode мошенничество 詐欺 欺诈 사기
verify verification validate validation authenticate attestation überprüfung verifizieren vérifier vérification verificar verificación verifica verifiëren verifiera проверка проверить 検証 验证 검증
generate generation generator create creation erstellen erzeugen générer créer generar crear gerar criar generare creare genereren maken skapa создать генерация 生成 作成 创建 생성
automate automation automatic workflow orchestrate orchestration automatisieren automatisierung automatiser automatizar automatización automatizzare automatiseren автоматизация 自動化 自动化 자동화
approve approval genehmigung genehmigen approbation aprobar aprobación aprovação approvazione goedkeuring одобрение 承認 审批 승인
complaint complain beschwerde plainte réclamation queja reclamação reclamo klacht klagomål жалоба 苦情 投诉 불만
policy policies richtlinie politique política politica beleid политика 政策 정책
refund return returns rückerstattung rückgabe remboursement retour reembolso devolución rimborso terugbetaling возврат 返金 退款 환불
patent trademark copyright ip intellectual marke urheberrecht brevet marque patente marca brevetto octrooi патент 特許 专利 특허
breach leak leaked darkweb stolen datenleck fuite filtración vazamento утечка 漏洩 泄露 유출
brand branding slogan logo 品牌 브랜드
screenshot capture bildschirmfoto capture-d-écran captura скриншот 截图 스크린샷
greeting greet hello hallo bonjour hola olá ciao привет 挨拶 问候 인사
chat chatbot conversation conversational dialogue assistant gespräch unterhaltung conversación conversa conversazione gesprek чат разговор 対話 聊天 채팅
sentiment emotion mood stimmung gefühl émotion emoción тональность 感情 情感 감정
classify classification categorize categorise categorization klassifizieren classer clasificar classificar classificare классификация 分類 分类 분류
extract extraction parse parser extrahieren extraire extraer extrair estrarre извлечь 抽出 提取 추출
plant plants garden gardening cultivation grow pflanze garten plante jardin planta jardín 植物 园艺
clothes fashion clothing outfit kleidung vêtements ropa moda 服装 옷
child children kid kids kinder enfant enfants niño niños criança bambino дети 子供 儿童 어린이
`

const ROWS = GROUPS.trim()
  .split('\n')
  .map((line) => line.split(' '))
const isUnspaced = (word: string): boolean => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(word)

interface Groups {
  /** Groups by the terms of their words. */
  readonly byTerm: ReadonlyMap<string, string>
  /** Words that are found inside a run of characters, with their groups, by each pair of characters that they contain. */
  readonly unspaced: ReadonlyMap<string, readonly (readonly [word: string, group: string])[]>
}

let groups: Groups | undefined
/** The groups. They are read at the first use, because the stems of all words cost a fifth of the start of a server. */
const allGroups = (): Groups => {
  groups ??= readGroups()
  return groups
}

function readGroups(): Groups {
  const byTerm = new Map<string, string>()
  const unspaced = new Map<string, (readonly [word: string, group: string])[]>()
  for (const [name = '', ...words] of ROWS) {
    const group = `#${name}`
    for (const word of [name, ...words])
      if (isUnspaced(word))
        for (const pair of new Set(wordsOf(word).map(({ text }) => text)))
          unspaced.set(pair, [...(unspaced.get(pair) ?? []), [word, group]])
      else for (const term of termsOfAll(word.replaceAll('-', ''))) if (!byTerm.has(term)) byTerm.set(term, group)
  }
  return { byTerm, unspaced }
}

function termsOfAll(word: string): ReadonlySet<string> {
  const lower = word.toLowerCase()
  return new Set([folded(lower), ...stemsOf(lower).map(folded)])
}

/** The groups of a word, which is given with its terms. */
export function groupsOf(word: Word, terms: Iterable<string>): string[] {
  const { byTerm, unspaced } = allGroups()
  if (word.run !== undefined) return (unspaced.get(word.text) ?? []).flatMap(([text, group]) => (word.run?.includes(text) ? [group] : []))
  const own = byTerm.get(word.text)
  return own === undefined ? [...new Set([...terms].flatMap((term) => byTerm.get(term) ?? []))] : [own]
}
